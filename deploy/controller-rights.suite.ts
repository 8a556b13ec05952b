/**
 * The controller at work over an API server that enforces RBAC, with the rights that the manifest grants: nothing is refused
 * and nothing was granted for no use.
 */
import { create } from '@bufbuild/protobuf'
import test from 'ava'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ReportSchema } from '../api/wire/generated/distribution_pb.ts'
import { SimulatedAgent } from '../e2e/peers/simulated-agent.ts'
import { runController } from '../controller/controller.ts'
import { parseCommand } from '../controller/options.ts'
import type { KubeObject } from '../e2e/control-plane/client.ts'
import { addNode, eventually, startCluster, tokenFor } from '../e2e/control-plane/cluster.ts'
import { createLog } from '../log/log.ts'
import { granted } from './checks/rights.ts'
import { namespace, objectsIn, root } from './manifests/helm.ts'

const manifest = objectsIn(readFileSync(join(root, 'deploy/nodeleaf.yaml'), 'utf8'))
const wanted = new Set([
  'ServiceAccount',
  'Role',
  'RoleBinding',
  'ClusterRole',
  'ClusterRoleBinding',
  'ValidatingWebhookConfiguration',
])
const user = `system:serviceaccount:${namespace}:nodeleaf-controller`

/** Granted, and not to be seen here. */
const unseen = [
  // kube-apiserver asks for it when server-side apply makes an object; the request itself is a patch.
  'create nodeleaf.io/routernodes',
  // The name of a token's node is in the token itself since Kubernetes 1.32.
  `get /pods in ${namespace}`,
  // When a CA is replaced, once a year.
  `update /secrets nodeleaf-ca in ${namespace}`,
  // The same words again within ten minutes are counted; then the Event is patched.
  'patch events.k8s.io/events in default',
]

test('the controller does all its work with the rights of the chart, and uses each', async (t) => {
  t.timeout(280_000)
  const folder = mkdtempSync(join(tmpdir(), 'nodeleaf-rights-'))
  await using cluster = await startCluster({ inMemory: true, rbac: true, garbageCollection: false })
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { client, memory } = cluster
  const apply = (object: object): Promise<unknown> =>
    client.applyOne(object as KubeObject, 'fieldManager=test&force=true')
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  for (const object of manifest.filter(({ kind }) => wanted.has(kind))) await apply(ignoring(object))
  await apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'bgp', namespace },
    stringData: { password: 'hunter2' },
  })
  const kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, cluster.kubeconfig(await tokenFor(client, 'nodeleaf-controller')))

  const stop = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const flags = [
    '--kubeconfig',
    kubeconfig,
    '--namespace',
    namespace,
    '--name',
    'a',
    '--listen',
    '127.0.0.1:0',
    '--metrics',
    'off',
    '--webhook',
    'off',
    '--index-rest',
    '1s',
  ]
  const command = parseCommand(flags, { env: {}, hostName: 'a', inCluster: false })
  if (command.type !== 'run') throw new Error('no run')
  const lines: string[] = []
  const log = createLog({ level: 'debug', format: 'kv', write: (line) => lines.push(line), now: () => new Date() })
  const running = runController(command.options, log, stop.signal, ({ agents }) => resolve(agents))
  running.catch(reject)
  const port = await promise

  await addNode(client, 'node1')
  for (const [kind, name, spec] of declared)
    await apply({ apiVersion: 'nodeleaf.io/v1alpha1', kind, metadata: { name }, spec })
  const trusted = await eventually('the CA is published', async () => {
    const found = await client.call('GET', `/api/v1/namespaces/${namespace}/configmaps/nodeleaf-ca`)
    return found.status === 200 ? ((found.body as { data?: Record<string, string> }).data?.['ca.crt'] ?? false) : false
  })
  const token = await tokenFor(client, 'nodeleaf-agent', { node: 'node1', audiences: ['nodeleaf'] })
  using agent = new SimulatedAgent({
    controller: `127.0.0.1:${port}`,
    ca: trusted,
    serverName: 'nodeleaf-controller',
    node: 'node1',
    token,
    revision: '',
  })
  await eventually('the agent has its plan', () => agent.pieces.has('router'))

  const rights = granted(manifest, 'nodeleaf-controller')
  const expected = rights.filter((right) => !unseen.includes(right))
  const used = (): readonly string[] => (memory?.audit.entries({ user }) ?? []).map((entry) => rightUsed(entry, rights))
  const lastGood = agent.revision
  agent.send({ case: 'report', value: create(ReportSchema, { applied: lastGood, lastGood, settled: true }) })
  await eventually('the RouterNode says what the node has', () =>
    used().includes('patch nodeleaf.io/routernodes/status'),
  )
  await client.call('DELETE', '/api/v1/nodes/node1')
  await eventually('every right is used', () => expected.every((right) => used().includes(right)), {
    timeoutMs: 120_000,
  }).catch(() => undefined)
  stop.abort()
  await running

  t.deepEqual(
    expected.filter((right) => !used().includes(right)),
    [],
    'granted and never used',
  )
  const refused = memory?.audit.entries({ user, status: 403 }).map(({ verb, path }) => `${verb} ${path}`)
  t.deepEqual(refused, [])
})

const declared = [
  [
    'Underlay',
    'fabric',
    {
      asn: 64514,
      interfaces: [{ name: 'eth1' }],
      vtep: { cidrs: ['100.65.0.0/24'] },
      neighbors: [{ address: '192.168.10.1', type: 'External', passwordSecret: { name: 'bgp', key: 'password' } }],
    },
  ],
  ['L3VNI', 'red', { vni: 100, vrf: 'red' }],
  ['L2VNI', 'web', { vni: 110 }],
  ['L3Passthrough', 'out', { hostSession: { asn: 64514, hostASN: 64515, localCIDR: { ipv4: '192.169.20.0/24' } } }],
] as const

interface Entry {
  readonly verb: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
}

/** The line of `granted` that covers a request; the request itself when there is none. */
function rightUsed({ verb, resource, subresource, namespace: where, name }: Entry, rights: readonly string[]): string {
  const [plural = '', ...group] = resource.split('.')
  const what = `${verb} ${group.join('.')}/${plural}${subresource === '' ? '' : `/${subresource}`}`
  const place = where === '' ? [''] : [` in ${where}`, '']
  const candidates = [` ${name}`, ''].flatMap((named) => place.map((at) => `${what}${named}${at}`))
  return candidates.find((each) => rights.includes(each)) ?? candidates[0] ?? what
}

/** Nobody answers the webhook here. */
function ignoring(object: { readonly kind: string; readonly [field: string]: unknown }): object {
  if (object.kind !== 'ValidatingWebhookConfiguration') return object
  const webhooks = object['webhooks'] as readonly object[]
  return { ...object, webhooks: webhooks.map((webhook) => ({ ...webhook, failurePolicy: 'Ignore' })) }
}
