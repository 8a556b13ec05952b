/**
 * An API server that misbehaves: whatever it does, the controller converges afterwards, nothing is deleted by mistake, and
 * no node gets a plan that it would not have got. Always the one in memory: a real one cannot be made to do this.
 */
import test, { type ExecutionContext } from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiServer } from '../apiserver/server.ts'
import { eventually, tokenFor } from './cluster.ts'
import { l2vni, namespace, pathOf, root, secret, underlay } from './objects.ts'
import { sampleOf, type Replica } from './replica.ts'
import { controller, fromChart, type Scene } from './stage.ts'
import { stageSuite } from './stage-suite.ts'

const stage = stageSuite({ inMemory: true })

const nodes = ['node1', 'node2', 'node3']
const vnis = [110, 111, 112]
/** So that a leader that cannot renew is replaced while the test watches, and one that is only slow is not. */
const lease = ['--lease-duration', '6s', '--renew-deadline', '4s', '--retry-period', '500ms']

function memoryOf({ cluster: { memory } }: Scene): ApiServer {
  if (memory === undefined) throw new Error('this needs the API server in memory')
  return memory
}

async function serve(it: Scene): Promise<Replica> {
  await it.nodes(...nodes)
  await it.apply(
    secret('tor', { password: 'kept' }),
    underlay({}, { passwordSecret: { name: 'tor', key: 'password' } }),
  )
  await it.apply(...vnis.map((vni) => l2vni(`web${vni}`, vni)))
  const replica = await it.replica('one', lease)
  for (const node of nodes) await it.agent(node)
  for (const vni of vnis) await it.ready('L2VNI', `web${vni}`)
  for (const node of nodes) await it.ready('RouterNode', node)
  memoryOf(it).audit.clear()
  return replica
}

/** After the trouble: a change comes through everywhere, and no agent ever lost anything on the way. */
async function converges(t: ExecutionContext, it: Scene, specs: readonly unknown[]): Promise<void> {
  const memory = memoryOf(it)
  memory.faults.clear()
  // The test's own connections may just have been reset.
  await sleep(100)
  await eventually('the API server answers', async () => (await it.get('/api/v1/nodes')) !== undefined)
  for (const agent of it.agents) {
    t.is(agent.updates.filter(({ removed }) => removed > 0).length, 0, `${agent.node} lost something`)
    t.is(agent.updates.filter(({ base }) => base === '').length, 1, `${agent.node} got a whole plan again`)
  }
  await it.delete(pathOf('L2VNI', 'web110'))
  await it.apply(l2vni('after', 140))
  for (const agent of it.agents)
    await eventually(`${agent.node} follows`, () => agent.pieces.has('segment/140') && !agent.pieces.has('segment/110'))
  await it.ready('L2VNI', 'after')
  t.deepEqual(await numbers(it), specs)
  t.deepEqual(memory.audit.entries({ ...controller, verb: 'delete' }), [])
}

const numbers = async (it: Scene): Promise<readonly unknown[]> =>
  (await it.list(`${root}/routernodes`)).map(({ metadata, spec }) => [metadata.name, spec.index, spec.addresses.vteps])

type Trouble = readonly [what: string, cause: (memory: ApiServer) => Promise<void>]
const match = { user: controller.user }
const troubles: readonly Trouble[] = [
  [
    'watches that expire (410)',
    async (memory) => {
      memory.store.compact()
      for (let round = 0; round < 3; round++, await sleep(300)) memory.watches.lose('gone', match)
    },
  ],
  [
    'watches that lose changes and then say 410',
    async (memory) => {
      memory.watches.lose('drop', match)
      await sleep(300)
      memory.watches.lose('gone', match)
    },
  ],
  [
    'connections that are reset, again and again',
    async (memory) => {
      for (let round = 0; round < 8; round++, await sleep(200)) memory.front.reset()
    },
  ],
  [
    'requests that are reset, and answers that get lost',
    async (memory) => {
      memory.faults.add({ kind: 'reset' }, { match, times: 20 })
      memory.faults.add({ kind: 'lost-answer' }, { match, times: 20 })
      for (let round = 0; round < 4; round++, await sleep(200)) memory.watches.lose('reset', match)
    },
  ],
  [
    'errors 500 and 503',
    async (memory) => {
      memory.faults.add({ kind: 'status', code: 500 }, { match, times: 25 })
      memory.faults.add({ kind: 'status', code: 503, retryAfterSeconds: 1 }, { match, times: 10 })
      memory.watches.lose('end', match)
      await sleep(1500)
    },
  ],
  [
    'lists that nobody answers',
    async (memory) => {
      memory.faults.add({ kind: 'stall' }, { match: { ...match, verb: 'list' }, times: 6 })
      memory.watches.lose('gone', match)
      await sleep(1000)
      memory.front.reset()
    },
  ],
  [
    'a server that freezes for longer than the Lease',
    async (memory) => {
      memory.front.freeze()
      await sleep(7500)
      memory.front.thaw()
    },
  ],
  [
    'a server that is away',
    async (memory) => {
      await memory.front.down()
      await sleep(6500)
      await memory.front.up()
    },
  ],
]

for (const [what, cause] of troubles)
  test.serial(`${what}: nothing is lost, and the next change comes through`, async (t) => {
    const it = await stage().scene(t)
    await serve(it)
    const before = await numbers(it)
    await cause(memoryOf(it))
    await converges(t, it, before)
  })

test.serial('too many requests (429): it waits as long as it is told to, and then goes on', async (t) => {
  const it = await stage().scene(t)
  await serve(it)
  const before = await numbers(it)
  const memory = memoryOf(it)
  const resource = 'l2vnis.nodeleaf.io'
  memory.audit.clear()
  memory.faults.add(
    { kind: 'status', code: 429, retryAfterSeconds: 2 },
    { match: { ...match, verb: 'patch', resource } },
  )
  await it.apply(l2vni('web111', 111, { mtu: 8000 }))
  await eventually(
    'it was told to wait',
    () => memory.audit.entries({ ...controller, resource, status: 429 }).length > 0,
  )
  await sleep(3000)
  // One object, two seconds: not more than a try a second however it counts.
  const tried = memory.audit.entries({ ...controller, resource, status: 429 }).length
  t.true(tried <= 4, `${tried} tries in three seconds`)
  memory.faults.clear()
  await it.ready('L2VNI', 'web111')
  await converges(t, it, before)
})

test.serial('CRDs that are not installed yet: it says which, and begins when they are there', async (t) => {
  const it = await stage().scene(t)
  const memory = memoryOf(it)
  const crd = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/l2vnis.nodeleaf.io'
  const { metadata: made, status: _, ...rest } = await it.get(crd)
  await it.delete(crd)
  const gone = async (): Promise<boolean> => (await it.cluster.client.call('GET', `${root}/l2vnis`)).status === 404
  await eventually('it is not served', gone)
  await it.nodes('node1')
  await it.apply(underlay())
  const replica = await it.replica('one', lease)
  const line = await it.logged(replica, 'l2vnis.nodeleaf.io')
  t.regex(line, /level=warn/)
  t.is(memory.audit.entries({ ...controller, resource: 'routernodes.nodeleaf.io', verb: 'patch' }).length, 0)
  await it.apply({ ...rest, metadata: { name: made.name, annotations: made.annotations } } as never)
  await eventually('it is served', async () => !(await gone()))
  await it.apply(l2vni('web', 110))
  const agent = await it.agent('node1')
  await eventually('it is planned', () => agent.pieces.has('segment/110'), { timeoutMs: 60_000 })
  await it.ready('L2VNI', 'web')
})

test.serial('a right that is missing is named with verb and resource, and used as soon as it is granted', async (t) => {
  const it = await stage().scene(t)
  it.mayBeForbidden = true
  const [role] = fromChart('ClusterRole')
  t.teardown(() => it.apply(...fromChart('ClusterRole')))
  type Rule = { readonly resources: readonly string[]; readonly verbs: readonly string[] }
  const rules = ((role?.['rules'] ?? []) as readonly Rule[]).map((rule) =>
    rule.resources.includes('routernodes/status')
      ? { ...rule, resources: rule.resources.filter((each) => each !== 'l2vnis/status') }
      : rule,
  )
  await it.cluster.client.ask('PATCH', '/apis/rbac.authorization.k8s.io/v1/clusterroles/nodeleaf-controller', {
    body: { rules },
    type: 'application/merge-patch+json',
  })
  await it.nodes('node1')
  await it.apply(underlay(), l2vni('web', 110))
  const replica = await it.replica('one', lease)
  await it.agent('node1')
  // Everything else goes on.
  await it.ready('Underlay', 'fabric')
  const line = await it.logged(replica, 'cannot patch l2vnis.nodeleaf.io/status web')
  t.regex(line, /level=warn/)
  await it.apply(...fromChart('ClusterRole'))
  await it.ready('L2VNI', 'web')
})

test.serial(
  'a replica that cannot reach the API server is not ready, and its agents are refused, not served old plans',
  async (t) => {
    const it = await stage().scene(t)
    const replica = await serve(it)
    const memory = memoryOf(it)
    await memory.front.down()
    await it.logged(replica, 'leading no more')
    await eventually(
      'it leads no more',
      async () => sampleOf(await replica.metrics(), 'nodeleaf_controller_leads') === 0,
    )
    const agents = it.agents.map((agent) => ({ agent, updates: agent.updates.length, pieces: agent.pieces.size }))
    await sleep(1000)
    for (const { agent, updates, pieces } of agents)
      t.deepEqual([agent.updates.length, agent.pieces.size], [updates, pieces])
    await memory.front.up()
    await eventually('it leads again', async () => sampleOf(await replica.metrics(), 'nodeleaf_controller_leads') === 1)
    for (const node of nodes) await it.ready('RouterNode', node)
  },
)

test.serial('an API server that does not tell the node of a token is asked for its Pod', async (t) => {
  const it = await stage().scene(t)
  const { client } = it.cluster
  await it.nodes('node1')
  await it.apply(underlay())
  await it.replica('one', lease)
  // As Kubernetes before 1.32 does: the claims name the Pod, and no node.
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'old-agent', namespace },
    spec: { serviceAccountName: 'nodeleaf-agent', containers: [{ name: 'main', image: 'none' }] },
  }
  await tokenFor(client, 'nodeleaf-agent')
  await it.apply(pod)
  const { token } = memoryOf(it).tokens.issue({
    namespace,
    name: 'nodeleaf-agent',
    audiences: ['nodeleaf'],
    expirationSeconds: 600,
    bound: { kind: 'Pod', name: 'old-agent' },
  })
  await it.apply({ ...pod, spec: { ...pod.spec, nodeName: 'node1' } } as typeof pod)
  const agent = await it.agent('node1', { token })
  await eventually('it is served', () => agent.pieces.has('router'))
  const looked = memoryOf(it).audit.entries({ ...controller, resource: 'pods', verb: 'get' })
  t.deepEqual(
    looked.map(({ name, status }) => [name, status]),
    [['old-agent', 200]],
  )
  const other = await it.agent('node2', { token })
  await it.logged(it.replicas[0] as Replica, 'reason=OtherNode')
  t.is(other.updates.length, 0)
})

test.serial('a token that has expired is refused and called so', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1')
  await it.apply(underlay())
  const replica = await it.replica('one', lease)
  await it.stage.tokenOf('node1')
  const { token } = memoryOf(it).tokens.issue({
    namespace,
    name: 'nodeleaf-agent',
    audiences: ['nodeleaf'],
    expirationSeconds: -1,
    bound: { kind: 'Pod', name: 'nodeleaf-agent-node1' },
  })
  const agent = await it.agent('node1', { token })
  await it.logged(replica, 'reason=TokenExpired')
  t.is(agent.updates.length, 0)
})
