/** What a person must know, once: Events on the resource and on the Node. */
import test from 'ava'
import { eventually } from './cluster.ts'
import { l2vni, pathOf, underlay } from './objects.ts'
import type { Event } from './stage.ts'
import { stageSuite } from './stage-suite.ts'

const stage = stageSuite()

const reasons = (events: readonly Event[]): readonly string[] =>
  events.map(({ type, reason }) => `${type} ${reason}`).toSorted()
const broken = {
  unready: [
    { kind: 'L2VNI', name: 'web', state: 'Failed', reason: 'BridgeMissing', message: 'there is no bridge br0' },
  ],
}

test.serial('from the first plan to Ready: one Event for each step, on the object and on the Node', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1')
  await it.apply(underlay(), l2vni('web', 110))
  await it.replica()
  await it.agent('node1')
  await it.ready('L2VNI', 'web')
  await it.ready('RouterNode', 'node1')
  const all = await eventually('all are written', async () => {
    const found = await it.events()
    return ['Ready', 'RouterReady'].every((reason) => found.some((each) => each.reason === reason)) && found
  })
  const on = (kind: string, name: string): readonly string[] =>
    reasons(all.filter(({ regarding }) => regarding.kind === kind && regarding.name === name))
  t.deepEqual(on('L2VNI', 'web'), ['Normal Accepted', 'Normal Ready'])
  t.deepEqual(on('Node', 'node1'), ['Normal NumbersAllocated', 'Normal RouterReady'])
  const uid = (await it.get(pathOf('L2VNI', 'web'))).metadata.uid
  for (const each of all) t.is(each.reportingController, 'nodeleaf.io/controller')
  t.true(all.filter(({ regarding }) => regarding.name === 'web').every(({ regarding }) => regarding.uid === uid))
})

test.serial('a failure is told once, however often it is reported, and so is that it is over', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2')
  await it.apply(underlay(), l2vni('web', 110))
  await it.replica()
  const agent = await it.agent('node1')
  await it.agent('node2')
  await it.ready('L2VNI', 'web')
  await it.ready('RouterNode', 'node1')
  agent.say(broken)
  await it.condition('L2VNI', 'web', 'Ready', ({ reason }) => reason === 'BridgeMissing')
  for (let round = 0; round < 20; round++) agent.say()
  agent.say({})
  await it.ready('L2VNI', 'web')
  await it.ready('RouterNode', 'node1')
  const warnings = async (kind: string, name: string): Promise<readonly Event[]> =>
    (await it.events(kind, name)).filter(({ type }) => type === 'Warning')
  const told = await eventually('it is told', async () => {
    const found = [...(await warnings('L2VNI', 'web')), ...(await warnings('Node', 'node1'))]
    return found.some(({ note }) => note.includes('there is no bridge br0')) && found
  })
  for (const { note } of told) t.regex(note, /there is no bridge br0/)
  t.is((await warnings('Node', 'node2')).length, 0)
  t.true(told.length <= 2, JSON.stringify(told.map(({ regarding, note }) => [regarding.kind, note])))
})

test.serial('a conflict is a Warning on the younger, and none on the older', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1')
  await it.apply(underlay(), l2vni('web', 110))
  await it.replica()
  await it.condition('L2VNI', 'web', 'Accepted', ({ status }) => status === 'True')
  await it.apply(l2vni('younger', 110, {}))
  await it.condition('L2VNI', 'younger', 'Accepted', () => true)
  const refused = await eventually('somebody is refused', async () =>
    (await it.events()).find(({ reason }) => reason === 'NotAccepted'),
  )
  t.is(refused.type, 'Warning')
  t.regex(refused.note, /VNI 110 belongs to L2VNI\//)
  t.is((await it.events()).filter(({ reason }) => reason === 'NotAccepted').length, 1)
})

test.serial('a restart of the controller is no news', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2')
  await it.apply(underlay(), l2vni('web', 110))
  const first = await it.replica('one')
  const agents = [await it.agent('node1'), await it.agent('node2')]
  await it.ready('L2VNI', 'web')
  for (const node of ['node1', 'node2']) await it.ready('RouterNode', node)
  await eventually(
    'all are written',
    async () => (await it.events('Node')).filter(({ reason }) => reason === 'RouterReady').length === 2,
  )
  await Promise.all(agents.map((agent) => agent.stop()))
  await first.stop()
  const before = (await it.events()).length
  it.replicas.length = 0
  const second = await it.replica('two')
  for (const node of ['node1', 'node2']) await it.agent(node)
  await it.logged(second, 'msg=leading ')
  // A change shows that it has planned and written.
  await it.apply(l2vni('db', 120))
  await it.ready('L2VNI', 'db')
  const news = (await it.events()).filter(({ reportingInstance }) => reportingInstance === 'two')
  t.deepEqual(
    news
      .filter(({ regarding }) => regarding.name !== 'db')
      .map(({ regarding, reason }) => `${regarding.name} ${reason}`),
    [],
  )
  t.true((await it.events()).length >= before)
})
