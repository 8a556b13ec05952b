/** What `kubectl get` says: conditions, counts, causes; written when something changed and not otherwise. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from './cluster.ts'
import { l2vni, l3vni, pathOf, root, underlay } from './objects.ts'
import { sampleOf, type Replica } from './replica.ts'
import { controller } from './stage.ts'
import { stageSuite } from './stage-suite.ts'

const stage = stageSuite()

const failed = (name: string) => ({
  unready: [{ kind: 'L2VNI', name, state: 'Failed', reason: 'BridgeMissing', message: 'there is no bridge br0' }],
})

test.serial('apply, and each resource is Accepted and Ready for its generation, with counts', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2', 'node3')
  await it.replica()
  await it.apply(underlay(), l3vni('red', 100, 'red'), l2vni('web', 110))
  for (const node of ['node1', 'node2', 'node3']) await it.agent(node)
  for (const [kind, name] of [
    ['Underlay', 'fabric'],
    ['L3VNI', 'red'],
    ['L2VNI', 'web'],
  ] as const) {
    const ready = await it.ready(kind, name)
    t.like(ready, { reason: 'Ready', message: 'works on 3 nodes', observedGeneration: 1 })
    const accepted = await it.condition(kind, name, 'Accepted', ({ status }) => status === 'True')
    t.like(accepted, { reason: 'Accepted', observedGeneration: 1 })
    const { status } = await it.get(pathOf(kind, name))
    t.deepEqual(status.nodes, { selected: 3, ready: 3, failed: 0, summary: '3/3' })
  }
  await it.apply(l2vni('web', 111))
  const again = await it.condition('L2VNI', 'web', 'Ready', ({ observedGeneration }) => observedGeneration === 2)
  t.is(again.observedGeneration, 2)
  await it.ready('L2VNI', 'web')
})

test.serial('one node that fails makes the resource not Ready, names node and cause, and heals', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2', 'node3')
  await it.replica()
  await it.apply(underlay(), l2vni('web', 110), l2vni('db', 120))
  await it.agent('node1')
  await it.agent('node2')
  const third = await it.agent('node3', { report: failed('web') })
  const bad = await it.condition(
    'L2VNI',
    'web',
    'Ready',
    ({ reason, message }) => reason === 'BridgeMissing' && message.startsWith('2 of 3'),
  )
  t.is(bad.status, 'False')
  t.regex(bad.message, /^2 of 3 nodes ready\. 1 failed: node3: BridgeMissing: there is no bridge br0$/)
  t.like((await it.get(pathOf('L2VNI', 'web')))['status'].nodes, { selected: 3, ready: 2, failed: 1, summary: '2/3' })
  await it.ready('L2VNI', 'db')
  const node = await it.condition('RouterNode', 'node3', 'Ready', ({ status }) => status === 'False')
  t.like(node, { reason: 'BridgeMissing', message: 'L2VNI/web: there is no bridge br0' })
  await it.ready('RouterNode', 'node1')
  third.say({})
  await it.ready('L2VNI', 'web')
  await it.ready('RouterNode', 'node3')
  t.like((await it.get(pathOf('L2VNI', 'web')))['status'].nodes, { failed: 0, summary: '3/3' })
})

test.serial('while agents have not come it is not Ready, and says which nodes it waits for', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2')
  await it.replica('one', ['--agent-grace', '2s'])
  await it.apply(underlay(), l2vni('web', 110))
  await it.agent('node1')
  const waiting = await it.condition('L2VNI', 'web', 'Ready', ({ status }) => status !== 'True')
  t.regex(waiting.message, /node2/)
  const unknown = await it.condition('L2VNI', 'web', 'Ready', ({ status }) => status === 'Unknown')
  t.is(unknown.reason, 'AgentDisconnected')
  t.regex(unknown.message, /^1 of 2 nodes ready\. 1 unknown: node2: the agent has not connected$/)
  const second = await it.agent('node2')
  await it.ready('L2VNI', 'web')
  await second.stop()
  const away = await it.condition('L2VNI', 'web', 'Ready', ({ reason }) => reason === 'AgentDisconnected')
  t.regex(away.message, /node2: the agent is away since /)
  await it.condition('RouterNode', 'node2', 'Connected', ({ status }) => status === 'False')
})

test.serial('a selector that meets no node, and one that begins to', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1')
  await it.replica()
  await it.apply(underlay(), l2vni('web', 110, { nodeSelector: { matchLabels: { rack: 'a' } } }))
  const none = await it.condition('L2VNI', 'web', 'Ready', ({ reason }) => reason === 'NoNodesSelected')
  t.is(none.status, 'False')
  t.is((await it.get(pathOf('L2VNI', 'web')))['status'].nodes.summary, '0/0')
  await it.agent('node1')
  await it.cluster.client.ask('PATCH', '/api/v1/nodes/node1', {
    body: { metadata: { labels: { rack: 'a' } } },
    type: 'application/merge-patch+json',
  })
  t.is((await it.ready('L2VNI', 'web')).message, 'works on 1 node')
})

test.serial('when the Underlay is deleted, what needs it says so, and comes back with it', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1')
  await it.replica()
  await it.apply(underlay(), l2vni('web', 110))
  const agent = await it.agent('node1')
  await it.ready('L2VNI', 'web')
  await it.delete(pathOf('Underlay', 'fabric'))
  const without = await it.condition('L2VNI', 'web', 'Ready', ({ reason }) => reason === 'NoUnderlay')
  t.is(without.status, 'False')
  t.regex(without.message, /Underlay/)
  await it.condition('L2VNI', 'web', 'Accepted', ({ status }) => status === 'True')
  await eventually('the segment is out of the plan', () => !agent.pieces.has('segment/110'))
  await it.apply(underlay())
  await it.ready('L2VNI', 'web')
  t.true(agent.pieces.has('segment/110'))
})

/** Events apart: there is one a node when it comes, five a second. */
const writes = async (replica: Replica): Promise<number> => {
  const text = await replica.metrics()
  const kinds = ['underlays', 'l2vnis', 'routernodes', 'configmaps']
  const sum = (verb: string) =>
    kinds.reduce((all, resource) => all + sampleOf(text, 'nodeleaf_kubernetes_requests_total', { verb, resource }), 0)
  return sum('patch') + sum('create') + sum('update') + sum('delete')
}

test.serial(
  '200 nodes that report every second cost no write while nothing changes, and few when something does',
  async (t) => {
    const it = await stage().scene(t)
    const names = Array.from({ length: 200 }, (_, at) => `n${String(at).padStart(3, '0')}`)
    await it.nodes(...names)
    const replica = await it.replica()
    await it.apply(underlay(), ...Array.from({ length: 10 }, (_, at) => l2vni(`web${at}`, 110 + at)))
    for (const name of names) await it.agent(name)
    for (let at = 0; at < 10; at++) t.is((await it.ready('L2VNI', `web${at}`)).message, 'works on 200 nodes')
    const settled = async (): Promise<boolean> => {
      const text = await replica.metrics()
      return sampleOf(text, 'nodeleaf_nodes_settled') === 200 && sampleOf(text, 'nodeleaf_writes_waiting') === 0
    }
    const quiet = (): Promise<number> =>
      eventually('nothing is left to write', async () => {
        const before = await writes(replica)
        await sleep(2000)
        return (await settled()) && (await writes(replica)) === before ? before : undefined
      })
    const before = await quiet()
    const versions = async () =>
      new Map(
        [...(await it.list(`${root}/l2vnis`)), ...(await it.list(`${root}/routernodes`))].map(({ kind, metadata }) => [
          `${kind}/${metadata.name}`,
          metadata.resourceVersion,
        ]),
      )
    const stored = await versions()
    const reports = setInterval(() => it.agents.forEach((agent) => agent.say()), 1000)
    t.teardown(() => clearInterval(reports))
    await sleep(5000)
    t.is((await writes(replica)) - before, 0)
    t.deepEqual(await versions(), stored)

    await it.apply(l2vni('web0', 210))
    await it.condition(
      'L2VNI',
      'web0',
      'Ready',
      ({ status, observedGeneration }) => status === 'True' && observedGeneration === 2,
    )
    const after = await quiet()
    clearInterval(reports)
    // The new revision of each node, and the one resource a few times.
    t.true(after - before <= 200 + 20, `${after - before} writes`)
    t.log(`one change on 200 nodes: ${after - before} writes`)
    const refused = it.cluster.memory?.audit.entries({ ...controller, status: 403 }) ?? []
    t.deepEqual(refused, [])
  },
)
