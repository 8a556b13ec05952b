/** Who gets which number: kept in RouterNodes and in the ledger, never moved, rested, exhausted, rebuilt. */
import test from 'ava'
import { addNode, eventually } from './cluster.ts'
import type { KubeObject } from './client.ts'
import { l2vni, l3vni, namespace, pathOf, root, underlay } from './objects.ts'
import type { Scene } from './stage.ts'
import { stageSuite } from './stage-suite.ts'

const stage = stageSuite()

const ledger = `/api/v1/namespaces/${namespace}/configmaps/nodeleaf-numbers`

/** The RouterNode, once it is there and `holds`. */
function routerNode(it: Scene, name: string, holds: (spec: KubeObject['spec']) => boolean = () => true) {
  return eventually(`RouterNode ${name}`, async () => {
    const { status, body } = await it.cluster.client.call('GET', pathOf('RouterNode', name))
    return status === 200 && holds((body as KubeObject)['spec']) ? (body as KubeObject) : undefined
  })
}

const indexOf = async (it: Scene, name: string): Promise<number> => (await routerNode(it, name))['spec'].index as number

/** The Node goes, and with it its RouterNode, as kube-controller-manager has it. */
async function removeNode(it: Scene, name: string): Promise<void> {
  await it.delete(`/api/v1/nodes/${name}`)
  const gone = async () => (await it.cluster.client.call('GET', pathOf('RouterNode', name))).status === 404
  await eventually(`RouterNode ${name} is gone`, gone)
}

test.serial('numbers are in the RouterNode, which belongs to its Node', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2')
  await it.apply(
    underlay({ vtep: { cidrs: ['100.65.0.0/24', 'fd00:65::/64'] } }),
    l3vni('red', 100, 'red', { hostSession: { asn: 64514, hostASN: 64515, localCIDR: { ipv4: '192.169.10.0/24' } } }),
  )
  await it.replica()
  const withSession = (spec: KubeObject['spec']): boolean => spec.addresses?.hostSessions?.length === 1
  const { spec, metadata } = await routerNode(it, 'node2', withSession)
  const at = spec.index as number
  t.true(at === 0 || at === 1)
  t.like(spec.addresses, {
    vteps: [`100.65.0.${1 + at}`, `fd00:65::${1 + at}`],
    routerID: `100.65.0.${1 + at}`,
    hostSessions: [{ vrf: 'red', addresses: [`192.169.10.${2 + at}/24`] }],
  })
  const node = await it.get('/api/v1/nodes/node2')
  t.like((metadata['ownerReferences'] as object[])[0], { kind: 'Node', name: 'node2', uid: node.metadata.uid })
  t.is((await routerNode(it, 'node1'))['spec'].index, 1 - at)
})

test.serial('numbers stay when the controller starts anew and when the pool is extended in place', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2')
  await it.apply(underlay())
  const first = await it.replica('one')
  const before = [await routerNode(it, 'node1'), await routerNode(it, 'node2')]
  await first.stop()
  await it.nodes('node0')
  await it.replica('two')
  await routerNode(it, 'node0')
  await it.apply(underlay({ vtep: { cidrs: ['100.65.0.0/16'] } }))
  await it.nodes('node3')
  t.is((await routerNode(it, 'node3', (spec) => spec.addresses?.vteps?.length === 1))['spec'].index, 3)
  const after = [await routerNode(it, 'node1'), await routerNode(it, 'node2')]
  t.deepEqual(
    after.map(({ spec }) => spec),
    before.map(({ spec }) => spec),
  )
})

test.serial('the number of a node that is gone rests, and the node gets it back', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2')
  await it.apply(underlay())
  await it.replica()
  const second = await indexOf(it, 'node2')
  await indexOf(it, 'node1')
  await removeNode(it, 'node2')
  await it.nodes('node3')
  t.is(await indexOf(it, 'node3'), 2)
  await it.nodes('node2')
  t.is(await indexOf(it, 'node2'), second)
})

test.serial('after the rest another node gets it', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2')
  await it.apply(underlay())
  await it.replica('one', ['--index-rest', '1s'])
  const second = await routerNode(it, 'node2')
  await indexOf(it, 'node1')
  await removeNode(it, 'node2')
  await eventually(
    'the ledger has forgotten node2',
    async () => !(await it.get(ledger))['data']['ledger.json'].includes('"node2"'),
  )
  await it.nodes('node3')
  const third = await routerNode(it, 'node3')
  t.deepEqual(third['spec'], second['spec'])
})

test.serial(
  'a pool that has no address left is named in condition and Event, and heals when it is extended',
  async (t) => {
    const it = await stage().scene(t)
    await it.nodes('node1', 'node2')
    await it.apply(underlay({ vtep: { cidrs: ['100.65.0.0/31'] } }), l2vni('web', 110))
    await it.replica()
    const nodes = [await routerNode(it, 'node1'), await routerNode(it, 'node2')]
    const without = nodes.find(({ spec }) => spec.index === 1)?.metadata.name ?? ''
    const other = without === 'node1' ? 'node2' : 'node1'
    for (const node of ['node1', 'node2']) await it.agent(node)
    const full = await it.condition('RouterNode', without, 'Ready', ({ reason }) => reason === 'PoolExhausted')
    t.regex(full.message, /100\.65\.0\.0\/31/)
    const resource = await it.condition('Underlay', 'fabric', 'Ready', ({ status }) => status === 'False')
    t.is(resource.reason, 'PoolExhausted')
    t.true(resource.message.includes(without) && resource.message.includes('100.65.0.0/31'), resource.message)
    const event = await eventually('the Event', async () =>
      (await it.events('Node', without)).find(({ reason }) => reason === 'PoolExhausted'),
    )
    t.is(event.type, 'Warning')
    t.regex(event.note, /100\.65\.0\.0\/31/)
    await it.ready('RouterNode', other)
    const kept = await routerNode(it, other)
    await it.apply(underlay({ vtep: { cidrs: ['100.65.0.0/24'] } }))
    await it.ready('RouterNode', without)
    await it.ready('Underlay', 'fabric')
    await it.ready('L2VNI', 'web')
    t.deepEqual((await routerNode(it, without))['spec'].addresses.vteps, ['100.65.0.2'])
    t.deepEqual((await routerNode(it, other))['spec'], kept['spec'])
  },
)

test.serial('a ledger that was lost is made again from the RouterNodes', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node5', 'node6')
  await it.apply(underlay())
  const first = await it.replica('one')
  const [five, six] = [await routerNode(it, 'node5'), await routerNode(it, 'node6')]
  await first.stop()
  await it.delete(ledger)
  // They come first by name, so a fresh count would begin with them.
  await it.nodes('node1', 'node2')
  await it.replica('two')
  const fresh = [await indexOf(it, 'node1'), await indexOf(it, 'node2')]
  t.deepEqual(fresh.toSorted(), [2, 3])
  t.deepEqual((await routerNode(it, 'node5'))['spec'], five['spec'])
  t.deepEqual((await routerNode(it, 'node6'))['spec'], six['spec'])
  const written = (await it.get(ledger))['data']['ledger.json'] as string
  for (const node of ['node1', 'node2', 'node5', 'node6']) t.true(written.includes(`"${node}"`))
})

test.serial('a ledger that goes while the controller leads is written again at the next change', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1')
  await it.apply(underlay())
  const replica = await it.replica()
  const one = await routerNode(it, 'node1')
  await it.delete(ledger)
  await it.nodes('node2')
  t.is(await indexOf(it, 'node2'), 1)
  const text = await eventually('it is there', async () => {
    const { status, body } = await it.cluster.client.call('GET', ledger)
    return status === 200 ? (body.data['ledger.json'] as string) : undefined
  })
  t.true(text.includes('"node1"') && text.includes('"node2"'))
  t.deepEqual((await routerNode(it, 'node1'))['spec'], one['spec'])
  t.true(replica.log.some((line) => line.includes('cannot save the ledger')))
})

test.serial('a ledger that somebody broke stops planning, says so, and is taken up when it is whole', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1')
  await it.apply(underlay())
  const first = await it.replica('one')
  const one = await routerNode(it, 'node1')
  const whole = await it.get(ledger)
  await first.stop()
  const write = (text: string) =>
    it.cluster.client.ask('PATCH', ledger, {
      body: { data: { 'ledger.json': text } },
      type: 'application/merge-patch+json',
    })
  await write('{"version":1,"nodes":{')
  const second = await it.replica('two')
  const line = await it.logged(second, 'cannot read the ledger of numbers')
  t.regex(line, /is not JSON; restore it, or remove it/)
  const agent = await it.agent('node1')
  await it.nodes('node2')
  await write(whole['data']['ledger.json'] as string)
  await routerNode(it, 'node2')
  await eventually('the agent is served', () => agent.pieces.has('router'))
  t.deepEqual((await routerNode(it, 'node1'))['spec'], one['spec'])
})

test.serial('a RouterNode that somebody deletes or writes over comes back with the same numbers', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2')
  await it.apply(underlay(), l2vni('web', 110))
  await it.replica()
  const agent = await it.agent('node2')
  await it.ready('RouterNode', 'node2')
  const before = await routerNode(it, 'node2')
  const updates = agent.updates.length
  await it.delete(pathOf('RouterNode', 'node2'))
  const again = await routerNode(it, 'node2')
  t.not(again.metadata.uid, before.metadata.uid)
  t.deepEqual(again['spec'], before['spec'])
  await it.ready('RouterNode', 'node2')
  await it.cluster.client.ask('PATCH', pathOf('RouterNode', 'node2'), {
    body: { spec: { index: 77 } },
    type: 'application/merge-patch+json',
  })
  const set = await routerNode(it, 'node2', ({ index }) => index !== 77)
  t.deepEqual(set['spec'], before['spec'])
  t.is(agent.updates.length, updates)
})

test.serial(
  'a Node that is made anew under its name keeps its numbers, and its RouterNode gets the new owner',
  async (t) => {
    const it = await stage().scene(t)
    await it.nodes('node1', 'node2')
    await it.apply(underlay())
    await it.replica()
    const before = await routerNode(it, 'node2')
    await it.delete('/api/v1/nodes/node2')
    const node = await addNode(it.cluster.client, 'node2')
    const ours = ({ metadata }: KubeObject): boolean =>
      ((metadata['ownerReferences'] ?? []) as { uid: string }[]).some(({ uid }) => uid === node.metadata.uid)
    const after = await eventually('the new owner', async () => {
      const found = (await it.list(`${root}/routernodes`)).find(({ metadata }) => metadata.name === 'node2')
      return found !== undefined && ours(found) ? found : undefined
    })
    t.deepEqual(after['spec'], before['spec'])
  },
)
