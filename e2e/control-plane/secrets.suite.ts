/** BGP passwords: followed by name, planned anew when they change, and never told to anybody but the node. */
import test from 'ava'
import { eventually } from './cluster.ts'
import { namespace, root, secret, underlay } from './objects.ts'
import { controller, type Scene } from './stage.ts'
import { stageSuite } from './stage-suite.ts'

const stage = stageSuite()

const withPassword = (name = 'tor', key = 'password') => underlay({}, { passwordSecret: { name, key } })
const path = (name: string): string => `/api/v1/namespaces/${namespace}/secrets/${name}`

async function begin(it: Scene) {
  await it.nodes('node1')
  const replica = await it.replica()
  const agent = await it.agent('node1')
  const planned = (password: string): Promise<boolean> =>
    eventually('the plan has the password', () => agent.pieces.get('router')?.includes(`"${password}"`) === true)
  return { replica, agent, planned }
}

test.serial('a session waits for its Secret, and takes it when it comes and when it changes', async (t) => {
  const it = await stage().scene(t)
  const { agent, replica, planned } = await begin(it)
  await it.apply(withPassword())
  const waiting = await it.condition('Underlay', 'fabric', 'Ready', ({ reason }) => reason === 'SecretMissing')
  t.is(waiting.status, 'False')
  t.regex(waiting.message, /node1: SecretMissing: .*Secret\/tor does not exist/)
  await it.condition('Underlay', 'fabric', 'Accepted', ({ status }) => status === 'True')
  await it.apply(secret('tor', { password: 'first-secret-word' }))
  await planned('first-secret-word')
  await it.ready('Underlay', 'fabric')
  await it.apply(secret('tor', { password: 'second-secret-word' }))
  await planned('second-secret-word')
  t.false([...agent.pieces.values()].some((json) => json.includes('first-secret-word')))

  await it.delete(path('tor'))
  await it.condition('Underlay', 'fabric', 'Ready', ({ reason }) => reason === 'SecretMissing')
  const gone = () => ![...agent.pieces.values()].some((json) => json.includes('second-secret-word'))
  await eventually('the plan has no password', gone)

  const told = JSON.stringify([
    await it.list(`${root}/underlays`),
    await it.list(`${root}/routernodes`),
    await it.list('/apis/events.k8s.io/v1/events'),
    await it.list(`/api/v1/namespaces/${namespace}/configmaps`),
    replica.log,
    await replica.metrics(),
  ])
  t.notRegex(told, /first-secret-word|second-secret-word/)
})

test.serial('a Secret without the key names the key; one that is no password names the reason', async (t) => {
  const it = await stage().scene(t)
  const { planned } = await begin(it)
  await it.apply(secret('tor', { other: 'x' }), withPassword('tor', 'bgp'))
  const missing = await it.condition('Underlay', 'fabric', 'Ready', ({ reason }) => reason === 'SecretMissing')
  t.regex(missing.message, /Secret\/tor.*\bbgp\b/)
  await it.apply(secret('tor', { bgp: '' }))
  const empty = await it.condition('Underlay', 'fabric', 'Ready', ({ reason }) => reason === 'SecretInvalid')
  t.regex(empty.message, /Secret\/tor/)
  await it.apply(secret('tor', { bgp: 'good' }))
  await planned('good')
  await it.ready('Underlay', 'fabric')
})

test.serial('only Secrets that are named are read, one by one', async (t) => {
  const it = await stage().scene(t)
  await it.apply(secret('tor', { password: 'one' }), secret('other', { password: 'never-read' }), withPassword())
  const { planned, agent } = await begin(it)
  await planned('one')
  await it.apply(secret('tor2', { password: 'two' }), withPassword('tor2'))
  await planned('two')
  // Whom nobody names any more is not followed any more.
  const updates = agent.updates.length
  await it.apply(secret('tor', { password: 'changed' }))
  await it.apply(withPassword('other'))
  await planned('never-read')
  t.is(agent.updates.length, updates + 1)
  const { memory } = it.cluster
  if (memory === undefined)
    return t.log('a real API server keeps no list of requests here: what was asked is not looked at')
  const asked = memory.audit.entries({ ...controller, resource: 'secrets' })
  const collections = asked.filter(({ verb }) => verb === 'list' || verb === 'watch')
  t.true(collections.length > 0)
  // The name that the fieldSelector names; empty for a list of all.
  t.deepEqual(
    [...new Set(collections.map((each) => `${each.namespace}/${each.name}`))].toSorted(),
    ['other', 'tor', 'tor2'].map((name) => `${namespace}/${name}`),
  )
  const gets = asked.filter(({ verb }) => verb === 'get').map(({ name }) => name)
  t.deepEqual([...new Set(gets)], ['nodeleaf-ca'])
  await eventually(
    'one Secret is watched',
    () => memory.watches.count({ resource: 'secrets', user: controller.user }) === 1,
  )
})

test.serial('a controller that starts plans nothing before it has the passwords', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1')
  await it.apply(secret('tor', { password: 'kept' }), withPassword())
  const first = await it.replica('one')
  const agent = await it.agent('node1')
  await eventually('it is served', () => agent.pieces.get('router')?.includes('"kept"') === true)
  await it.ready('Underlay', 'fabric')
  const before = agent.updates.length
  await first.stop()
  const slow = it.cluster.memory?.faults.add(
    { kind: 'slow', milliseconds: 1500 },
    { match: { resource: 'secrets', verb: 'list' } },
  )
  const two = await it.replica('two')
  const second = await it.agent('node1')
  await eventually('it is served anew', () => second.pieces.get('router')?.includes('"kept"') === true)
  slow?.()
  t.is(second.updates.length, 1)
  t.is(agent.updates.length, before)
  t.deepEqual(
    two.log.filter((line) => line.includes('SecretMissing')),
    [],
  )
})
