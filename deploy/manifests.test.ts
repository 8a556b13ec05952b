import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import manifest from '../package.json' with { type: 'json' }
import { refusals } from './checks/admission.ts'
import { controllerCalls, rightsOfCalls } from './checks/controller-calls.ts'
import { unknownMetrics } from './checks/metrics.ts'
import { dangling } from './checks/references.ts'
import { granted, lines, tooWide } from './checks/rights.ts'
import { undeclaredKinds } from './checks/sources.ts'
import { misfits } from './checks/structure.ts'
import { crdCopies, stale } from './manifests/generate.ts'
import { namespace, objectsIn, root } from './manifests/helm.ts'
import { containersOf, workloads, type Manifest } from './manifests/manifest.ts'
import { valuesText } from './manifests/values-table.ts'

const text = (path: string): string => readFileSync(join(root, path), 'utf8')
const all = objectsIn(text('deploy/nodeleaf.yaml'))

test('the chart has the CRDs of deploy/crds', (t) => {
  t.deepEqual(stale(crdCopies()), [], 'run hack/manifests')
})

test('the reference of the values is that of the schema and its defaults', (t) => {
  const schema = JSON.parse(text('deploy/helm/nodeleaf/values.schema.json'))
  t.is(
    text('docs/reference/helm-values.md'),
    valuesText(schema, parse(text('deploy/helm/nodeleaf/values.yaml'))),
    'run hack/manifests',
  )
})

test('every object of the all-in-one manifest has fields that Kubernetes knows, of the right type', (t) => {
  t.true(all.length > 15)
  t.deepEqual(all.flatMap(misfits), [])
})

test('a field that is misspelt, of the wrong type or of no kind is named', (t) => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'x' },
    spec: { containers: [{ name: 'a', imgae: 'b', args: ['--x', 1] }] },
  }
  t.deepEqual(misfits(pod), [
    'Pod x.spec.containers[0].imgae: there is no such field',
    'Pod x.spec.containers[0].args[1] is 1, but must be of type string',
  ])
  t.deepEqual(misfits({ ...pod, kind: 'Prod' }), ['Prod x: there is no kind Prod in v1'])
})

test('what objects of the all-in-one manifest name is there', (t) => {
  t.deepEqual(dangling(all), [])
})

test('a name that leads nowhere is named', (t) => {
  const broken = structuredClone(all) as Manifest[]
  const service = broken.find(({ kind }) => kind === 'Service') as unknown as {
    spec: { ports: { targetPort: string }[] }
  }
  for (const port of service.spec.ports) port.targetPort = `${port.targetPort}x`
  t.deepEqual(
    dangling(broken).filter((line) => line.startsWith('Service')),
    [
      'Service nodeleaf-controller: no container has the port grpcx',
      'Service nodeleaf-controller: no container has the port webhookx',
      'Service nodeleaf-controller: no container has the port metricsx',
    ],
  )
  t.true(
    dangling(all.filter(({ kind }) => kind !== 'ServiceAccount')).includes(
      'DaemonSet nodeleaf-agent: there is no ServiceAccount nodeleaf-agent',
    ),
  )
})

test('containers have no more than they need, and nothing an API server refuses', (t) => {
  t.deepEqual(refusals(all), [])
  const open = structuredClone(all) as Manifest[]
  for (const container of workloads(open).flatMap(containersOf))
    Object.assign(container, { securityContext: {}, image: 'frr' })
  t.deepEqual(
    refusals(open).filter((line) => line.startsWith('DaemonSet nodeleaf-agent/namespace')),
    [
      'mounts Bidirectional, which only a privileged container may',
      'does not drop all capabilities first',
      'may gain privileges',
      'has a root file system that it can write to',
      'has an image without a tag',
    ].map((problem) => `DaemonSet nodeleaf-agent/namespace ${problem}`),
  )
})

test('RBAC grants the controller what it calls, and nothing else', (t) => {
  t.deepEqual(granted(all, 'nodeleaf-controller'), lines(rightsOfCalls(controllerCalls, namespace)))
  t.deepEqual(tooWide(all), [])
})

test('agents and FRR have no rights in the cluster', (t) => {
  t.deepEqual(granted(all, 'nodeleaf-agent'), [])
  t.deepEqual(granted(all, 'nodeleaf-frr'), [])
})

test('the kinds that the sources of the controller name are those of its calls', (t) => {
  t.deepEqual(undeclaredKinds(controllerCalls, root), [])
})

test('alerts and dashboard ask for metrics that there are', (t) => {
  t.deepEqual(unknownMetrics(text('deploy/helm/nodeleaf/files/alerts.yaml'), root), [])
  t.deepEqual(unknownMetrics(text('deploy/helm/nodeleaf/files/dashboard.json'), root), [])
  t.deepEqual(unknownMetrics('rate(nodeleaf_nothing_total[5m])', root), ['nodeleaf_nothing_total'])
})

test("the chart's versions are package.json's", (t) => {
  const { version, appVersion } = parse(text('deploy/helm/nodeleaf/Chart.yaml'))
  t.deepEqual([version, appVersion], [manifest.version, manifest.version])
})
