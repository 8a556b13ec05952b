/** Exactly one replica leads; another takes over within 15 s whatever happens to it, and no node notices. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KubeObject } from './client.ts'
import { eventually } from './cluster.ts'
import type { CrewAgent } from './crew.ts'
import { l2vni, namespace, pathOf, root, underlay } from './objects.ts'
import type { Replica } from './replica.ts'
import { controller, type Scene } from './stage.ts'
import { stageSuite } from './stage-suite.ts'

const stage = stageSuite()

const WITHIN_MS = 15_000
const lease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/nodeleaf-controller`
const nodes = ['node1', 'node2', 'node3', 'node4', 'node5']

interface Served {
  readonly agents: readonly CrewAgent[]
  /** What there is to be kept. */
  readonly updates: number
  readonly welcomes: number
  readonly stored: string
}

/** The fabric at work: everything is Ready and nothing more is written. */
async function serve(it: Scene): Promise<Served> {
  await it.nodes(...nodes)
  await it.apply(underlay(), l2vni('web', 110), l2vni('db', 120))
  const agents: CrewAgent[] = []
  for (const node of nodes) agents.push(await it.agent(node))
  for (const name of ['web', 'db']) await it.ready('L2VNI', name)
  for (const node of nodes) await it.ready('RouterNode', node)
  await eventually('what is applied is written', async () =>
    (await it.list(`${root}/routernodes`)).every(
      ({ status }) => status?.revision?.applied === status?.revision?.desired,
    ),
  )
  const welcomes = Math.max(...agents.map((agent) => agent.welcomes.length))
  return { agents, updates: updatesOf(agents), welcomes, stored: await stored(it) }
}

const updatesOf = (agents: readonly CrewAgent[]): number => agents.reduce((sum, each) => sum + each.updates.length, 0)

/** Specs and conditions of all, with their times. */
async function stored(it: Scene): Promise<string> {
  const all = [
    ...(await it.list(`${root}/routernodes`)),
    ...(await it.list(`${root}/l2vnis`)),
    ...(await it.list(`${root}/underlays`)),
  ]
  return JSON.stringify(
    all.map(({ metadata, spec, status }) => [metadata.name, spec, status?.conditions, status?.nodes]),
    null,
    1,
  )
}

const welcomedBy = (agents: readonly CrewAgent[], name: string): boolean =>
  agents.every(({ welcomes }) => welcomes.at(-1)?.startsWith(name))

/** All agents are with another leader, nothing was sent or changed, and that one plans. */
async function takenOver(t: import('ava').ExecutionContext, it: Scene, before: Served, next: Replica, fromMs: number) {
  const { agents } = before
  const anew = () => agents.every(({ welcomes }) => welcomes.length > before.welcomes)
  await eventually('every agent is with the new leader', () => anew() && welcomedBy(agents, next.name), {
    timeoutMs: 90_000,
  })
  const tookMs = performance.now() - fromMs
  t.is(updatesOf(agents), before.updates)
  await it.apply(l2vni('later', 130))
  for (const agent of agents) await eventually('the new leader plans', () => agent.pieces.has('segment/130'))
  await it.ready('L2VNI', 'later')
  t.is(updatesOf(agents), before.updates + agents.length)
  for (const agent of agents) t.not(agent.updates.at(-1)?.base, '')
  await it.delete(pathOf('L2VNI', 'later'))
  for (const agent of agents) await eventually('it is gone', () => !agent.pieces.has('segment/130'))
  await eventually('as before', async () => (await stored(it)) === before.stored).catch(() => undefined)
  t.is(await stored(it), before.stored)
  return tookMs
}

const apart = new Set(['leases.coordination.k8s.io', 'tokenreviews.authentication.k8s.io', 'events.events.k8s.io'])

/** What controllers have written, Lease and Events apart; of a real API server nothing is known. */
function writes({ cluster: { memory } }: Scene): readonly string[] {
  const all = memory?.audit.entries(controller) ?? []
  return all
    .filter(({ verb }) => ['create', 'update', 'patch', 'delete'].includes(verb))
    .filter(({ resource }) => !apart.has(resource))
    .map(({ verb, resource, subresource, name }) => [verb, resource, subresource, name].join(' '))
}

/** When somebody else began to lead, seen from outside. */
async function nextLeader(it: Scene, but: Replica, fromMs: number): Promise<{ next: Replica; tookMs: number }> {
  const others = it.replicas.filter((each) => each !== but)
  const next = await eventually('another leads', () =>
    others.find(({ log }) => log.some((line) => line.includes('msg=leading '))),
  )
  return { next, tookMs: performance.now() - fromMs }
}

test.serial('of three replicas one leads, the others refuse agents and name it, and all are ready', async (t) => {
  const it = await stage().scene(t)
  await Promise.all(['one', 'two', 'three'].map((name) => it.replica(name)))
  const leader = await it.leader()
  const { agents } = await serve(it)
  t.true(welcomedBy(agents, leader.name))
  const holder = (await it.get(lease)) as KubeObject
  t.is(holder.metadata.annotations?.['nodeleaf.io/address'], `127.0.0.1:${leader.port}`)
  for (let look = 0; look < 10; look++, await sleep(100)) {
    const lead = await Promise.all(
      it.replicas.map(async (each) => /^nodeleaf_controller_leads 1$/m.test(await each.metrics())),
    )
    t.is(lead.filter(Boolean).length, 1)
  }
  await leader.stop()
  const at = performance.now()
  const { next } = await nextLeader(it, leader, at)
  t.not(next.name, leader.name)
})

test.serial('a leader that is killed is replaced within 15 s, and nothing changes on any node', async (t) => {
  const it = await stage().scene(t)
  const first = await it.replicaProcess('one')
  await it.logged(first, 'msg=leading ')
  await it.replica('two')
  const before = await serve(it)
  const at = performance.now()
  first.signal('SIGKILL')
  const { next, tookMs } = await nextLeader(it, first, at)
  t.true(tookMs < WITHIN_MS, `another led after ${Math.round(tookMs)} ms`)
  const all = await takenOver(t, it, before, next, at)
  t.log(`another led after ${Math.round(tookMs)} ms, all agents were with it after ${Math.round(all)} ms`)
})

test.serial('a leader that freezes is replaced, and when it wakes it writes nothing more', async (t) => {
  const it = await stage().scene(t)
  const first = await it.replicaProcess('one')
  await it.logged(first, 'msg=leading ')
  await it.replica('two')
  const before = await serve(it)
  const at = performance.now()
  first.signal('SIGSTOP')
  const { next, tookMs } = await nextLeader(it, first, at)
  t.true(tookMs < WITHIN_MS, `another led after ${Math.round(tookMs)} ms`)
  // It has work to do the moment it wakes: a change that it has not seen.
  await it.apply(l2vni('meanwhile', 140))
  await eventually('all agents are with the new leader', () => welcomedBy(before.agents, next.name), {
    timeoutMs: 90_000,
  })
  await it.ready('L2VNI', 'meanwhile')
  await it.delete(pathOf('L2VNI', 'meanwhile'))
  for (const agent of before.agents) await eventually('it is gone', () => !agent.pieces.has('segment/140'))
  await eventually('as before', async () => (await stored(it)) === before.stored)
  const updates = updatesOf(before.agents)
  const quiet = await eventually('the new leader has nothing more to write', async () => {
    const seen = writes(it)
    await sleep(1500)
    return writes(it).length === seen.length && { seen: seen.length }
  })
  const wokenAt = Date.now()
  first.signal('SIGCONT')
  await it.logged(first, 'leading no more')
  await sleep(2000)
  t.is(await stored(it), before.stored)
  t.is(updatesOf(before.agents), updates)
  t.true(welcomedBy(before.agents, next.name))
  const holder = (await it.get(lease))['spec'].holderIdentity as string
  t.true(holder.startsWith(`${next.name}_`), holder)
  t.log(`another led after ${Math.round(tookMs)} ms`)
  if (it.cluster.memory === undefined)
    t.log('a real API server keeps no list of requests here: what it stores is looked at')
  const told = (await it.events()).filter(
    ({ reportingInstance, eventTime }) => reportingInstance === 'one' && Date.parse(eventTime) >= wokenAt,
  )
  t.deepEqual(told, [])
  t.deepEqual(writes(it).slice(quiet.seen), [])
})

test.serial('a Lease that is deleted leaves one leader, and nothing changes on any node', async (t) => {
  const it = await stage().scene(t)
  await it.replica('one')
  await it.replica('two')
  const leader = await it.leader()
  const before = await serve(it)
  const at = performance.now()
  await it.delete(lease)
  await it.logged(leader, 'leading no more')
  const held = async (): Promise<string | undefined> => {
    const { status, body } = await it.cluster.client.call('GET', lease)
    return status === 200 ? (body.spec.holderIdentity as string) : undefined
  }
  const holder = await eventually('somebody holds it', held)
  t.true(performance.now() - at < WITHIN_MS)
  const next = it.replicas.find(({ name }) => holder.startsWith(`${name}_`)) as Replica
  await takenOver(t, it, before, next, at)
  const lead = await Promise.all(
    it.replicas.map(async (each) => /^nodeleaf_controller_leads 1$/m.test(await each.metrics())),
  )
  t.is(lead.filter(Boolean).length, 1)
})
