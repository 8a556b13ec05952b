import { create } from '@bufbuild/protobuf'
import test, { type ExecutionContext } from 'ava'
import type { PlanVersion } from '../../api/plan/plan-version.ts'
import type { L2VNI } from '../../api/kinds/l2vni.ts'
import { snapshotOf } from '../../api/snapshot/snapshot.ts'
import { DetailSchema, HelloSchema, ReportSchema } from '../../api/wire/generated/distribution_pb.ts'
import { createLog } from '../../log/log.ts'
import { until } from '../distribution/stage.ts'
import { detailDigest, stateDigest } from '../fabric/digest.ts'
import type { FabricStore } from '../fabric/fabric-store.ts'
import { routerNodeOf } from '../fabric/router-node-spec.ts'
import { keyOf, type Condition, type Declared, type ResourceStatus, type World } from '../fabric/world.ts'
import type { RouterNodeDetail, RouterNodeState } from './router-node-status.ts'
import { StatusKeeper } from './status-keeper.ts'

const vni = (name: string, spec: number): L2VNI => ({
  kind: 'L2VNI',
  metadata: { name },
  spec: { vni: spec, gatewayIPs: [], routeTargets: { import: [], export: [] }, suppressARP: true },
})

/** A world of L2VNIs by their generation, and of nodes with a RouterNode each. */
function stage(t: ExecutionContext) {
  const statuses = new Map<string, ResourceStatus>()
  const states = new Map<string, RouterNodeState>()
  const details = new Map<string, RouterNodeDetail>()
  const events: string[] = []
  const asked: string[] = []
  let broken = false
  let gate = Promise.resolve()
  const wrote = async (): Promise<void> => {
    await gate
    if (broken) throw new Error('no')
  }
  const store = {
    applyStatus: async ({ ref }: Declared, status: ResourceStatus) => {
      await wrote()
      statuses.set(keyOf(ref), status)
    },
    applyRouterNodeState: async (name: string, state: RouterNodeState) => {
      await wrote()
      states.set(name, state)
    },
    applyRouterNodeDetail: async (name: string, detail: RouterNodeDetail) => {
      await wrote()
      details.set(name, detail)
    },
    record: ({ reason }: { reason: string }) => void events.push(reason),
  } as unknown as FabricStore
  const keeper = new StatusKeeper({
    store,
    log: createLog({ level: 'error', format: 'kv', write: () => {}, now: () => new Date() }),
    now: Date.now,
    graceMs: 60_000,
    requestDetail: (node) => void asked.push(node),
    failed: () => {},
  })
  const stop = new AbortController()
  const running = keeper.run(stop.signal)
  t.teardown(async () => {
    stop.abort()
    await running
  })
  const world = (generations: Readonly<Record<string, number>>, nodes: readonly string[], uid = 'u'): World => {
    const declared = Object.entries(generations).map(([name, generation], at): Declared => {
      const ref = { kind: 'L2VNI', name } as const
      const status = statuses.get(keyOf(ref))
      const checked = { resource: vni(name, at + 1) }
      return { ref, uid: name, generation, checked, ...(status === undefined ? {} : { status }) }
    })
    return {
      snapshot: snapshotOf(declared.flatMap(({ checked }) => ('resource' in checked ? checked.resource : []))),
      nodes: nodes.map((name) => ({ name, labels: {}, uid: `${uid} of ${name}` })),
      declared,
      routerNodes: nodes.map((name, index) => ({
        name,
        uid: `${uid} of ${name}`,
        resource: routerNodeOf(name, index, [], undefined),
        specDigest: '',
        conditions: states.get(name)?.conditions ?? [],
        stateDigest: stateDigest({ ...states.get(name) }),
        detailDigest: detailDigest({ ...details.get(name) }),
      })),
    }
  }
  return {
    keeper,
    statuses,
    states,
    details,
    events,
    asked,
    world,
    /** Plans every node of the world that has a revision. */
    plan: (of: World, revisions: Readonly<Record<string, string | undefined>>) =>
      keeper.planned(
        of,
        Object.keys(revisions),
        (node) => {
          const revision = revisions[node]
          return revision === undefined ? undefined : ({ node, revision, refused: [] } as unknown as PlanVersion)
        },
        [],
      ),
    hello: (node: string, revision: string) => keeper.connected(node, create(HelloSchema, { node, revision })),
    report: (node: string, lastGood: string, more = {}) =>
      keeper.reported(node, create(ReportSchema, { lastGood, applied: lastGood, settled: true, ...more })),
    fail: (fails: boolean) => void (broken = fails),
    hold: (opened: Promise<void>) => void (gate = opened),
    condition: (name: string, type = 'Ready'): Condition | undefined =>
      statuses.get(`L2VNI/${name}`)?.conditions.find((each) => each.type === type),
    connected: (node: string): Condition | undefined =>
      states.get(node)?.conditions.find(({ type }) => type === 'Connected'),
  }
}

test('a Node that is made anew while its agent stays connected is connected, without the agent saying so again', async (t) => {
  const it = stage(t)
  it.plan(it.world({ web: 1 }, ['a']), { a: 'r1' })
  it.hello('a', 'r1')
  it.report('a', 'r1')
  await until(() => it.condition('web')?.status === 'True', 'it is Ready')
  it.plan(it.world({ web: 1 }, []), { a: undefined })
  await until(() => it.condition('web')?.reason === 'NoNodesSelected', 'the Node is gone')
  it.states.clear()
  it.plan(it.world({ web: 1 }, ['a'], 'second'), { a: 'r1' })
  await until(() => it.condition('web')?.status === 'True', 'it is Ready again')
  await until(() => it.connected('a')?.status === 'True', 'and the node is connected')
  t.pass()
})

test('a message names nodes in the order of their names, whatever order they came in', async (t) => {
  const it = stage(t)
  const nodes = ['d', 'b', 'c', 'a']
  it.plan(it.world({ web: 1 }, nodes), Object.fromEntries(nodes.map((node) => [node, 'r1'])))
  const unready = [{ kind: 'L2VNI', name: 'web', state: 'Failed', reason: 'BridgeMissing', message: 'no br0' }]
  for (const node of nodes) {
    it.hello(node, 'r1')
    it.report(node, 'r1', { unready })
  }
  await until(() => it.condition('web')?.message.includes('4 failed') ?? false, 'all have failed')
  t.is(it.condition('web')?.message, '0 of 4 nodes ready. 4 failed: a, b, c: BridgeMissing: no br0; and 1 more')
})

test('an agent of a node that is gone is forgotten when it leaves', async (t) => {
  const it = stage(t)
  it.hello('a', 'r1')
  it.plan(it.world({ web: 1 }, ['b']), { b: 'r1' })
  it.keeper.disconnected('a')
  it.plan(it.world({ web: 1 }, ['a', 'b']), { a: 'r1' })
  await until(() => it.condition('web')?.reason === 'Applying', 'it is not in place')
  t.is(it.condition('web')?.message, '0 of 2 nodes ready. 2 applying: a: the agent has not connected yet; and 1 more')
})

test('a node that can be planned nothing for is not called Ready for what it was not told', async (t) => {
  const it = stage(t)
  it.plan(it.world({ web: 1, db: 1 }, ['a']), { a: 'r1' })
  it.hello('a', 'r1')
  it.report('a', 'r1')
  await until(() => it.condition('web')?.status === 'True', 'it is Ready')
  it.plan(it.world({ web: 2, db: 1 }, ['a']), { a: undefined })
  await until(() => it.condition('web')?.observedGeneration === 2, 'the edit is seen')
  t.is(it.condition('web')?.status, 'False')
  t.is(it.condition('db')?.status, 'True')
  it.plan(it.world({ web: 2, db: 1 }, ['a']), { a: 'r2' })
  it.keeper.acknowledged('a', 'r2', undefined)
  it.report('a', 'r2')
  await until(() => it.condition('web')?.status === 'True', 'it is Ready again')
  t.is(it.condition('web')?.message, 'works on 1 node')
})

test('an agent that comes back with nothing is behind with everything, whatever it had', async (t) => {
  const it = stage(t)
  it.plan(it.world({ web: 1 }, ['a']), { a: 'r1' })
  it.hello('a', 'r1')
  it.report('a', 'r1')
  await until(() => it.condition('web')?.status === 'True', 'it is Ready')
  it.keeper.disconnected('a')
  it.hello('a', '')
  await until(() => it.condition('web')?.reason === 'Applying', 'the node is empty')
  it.keeper.acknowledged('a', 'r1', undefined)
  it.report('a', 'r1')
  await until(() => it.condition('web')?.status === 'True', 'it is Ready again')
  t.is(it.condition('web')?.message, 'works on 1 node')
})

test('what a new leader adds says nothing about what worked under the former one', async (t) => {
  const it = stage(t)
  it.plan(it.world({ web: 1 }, ['a']), { a: 'r1' })
  it.hello('a', 'r1')
  it.report('a', 'r1')
  await until(() => it.condition('web')?.status === 'True', 'it is Ready')
  await until(() => it.connected('a')?.status === 'True', 'so is the node')
  const next = stage(t)
  for (const [key, status] of it.statuses) next.statuses.set(key, status)
  for (const [key, state] of it.states) next.states.set(key, state)
  next.plan(next.world({ web: 1, db: 1 }, ['a']), { a: 'r2' })
  next.hello('a', 'r1')
  next.report('a', 'r1')
  await until(() => next.condition('db')?.reason === 'Applying', 'what is new is on its way')
  next.report('a', 'r1', { detailVersion: 1n })
  await until(() => next.asked.length === 1, 'time has passed')
  t.is(next.condition('web'), it.condition('web'))
  next.keeper.acknowledged('a', 'r2', undefined)
  next.report('a', 'r2')
  await until(() => next.condition('db')?.status === 'True', 'what is new works')
  t.deepEqual(
    next.events.filter((each) => each === 'Ready'),
    ['Ready'],
  )
})

test('what an agent tells while the write before is under way is what is written last', async (t) => {
  const it = stage(t)
  it.plan(it.world({}, ['a']), { a: 'r1' })
  it.hello('a', 'r1')
  const detail = (state: string) => create(DetailSchema, { vnis: [{ vni: 1, type: 'L2', state }] })
  const told = (): string | undefined => it.details.get('a')?.vnis[0]?.state
  it.keeper.detailed('a', detail('Up'))
  await until(() => told() === 'Up', 'it is up')
  const { promise, resolve } = Promise.withResolvers<void>()
  it.hold(promise)
  it.keeper.detailed('a', detail('Down'))
  await new Promise((done) => setTimeout(done, 20))
  it.keeper.detailed('a', detail('Up'))
  const before = it.details.get('a')
  resolve()
  await until(() => it.details.get('a') !== before && told() === 'Up', 'it is up again')
  t.pass()
})

test('a RouterNode that was removed by hand is told everything anew', async (t) => {
  const it = stage(t)
  it.plan(it.world({}, ['a']), { a: 'r1' })
  it.hello('a', 'r1')
  it.report('a', 'r1', { detailVersion: 1n })
  await until(() => it.asked.length === 1 && it.states.has('a'), 'it was asked, and its state written')
  it.states.clear()
  it.plan(it.world({}, ['a'], 'second'), {})
  await until(() => it.asked.length === 2 && it.states.has('a'), 'it is asked again, and written')
  t.pass()
})

test('what came is not asked for again, also when it is newer than what was asked for', async (t) => {
  const it = stage(t)
  it.plan(it.world({}, ['a']), { a: 'r1' })
  it.hello('a', 'r1')
  it.report('a', 'r1', { detailVersion: 1n })
  await until(() => it.asked.length === 1, 'it is asked')
  it.keeper.detailed('a', create(DetailSchema, { version: 2n }))
  it.report('a', 'r1', { detailVersion: 2n })
  it.report('a', 'r1', { detailVersion: 3n })
  await until(() => it.asked.length === 2, 'it is asked for what is newer still')
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.is(it.asked.length, 2)
})

test('a node that was away under the former leader comes back without an Event on each resource', async (t) => {
  const it = stage(t)
  const unknown: Condition = {
    type: 'Ready',
    status: 'Unknown',
    reason: 'AgentDisconnected',
    message: '0 of 1 node ready. 1 unknown: a: the agent is away',
    observedGeneration: 1,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }
  const accepted = { ...unknown, type: 'Accepted', status: 'True', reason: 'Accepted' } as const
  it.statuses.set('L2VNI/web', { conditions: [accepted, unknown] })
  it.plan(it.world({ web: 1 }, ['a']), { a: 'r1' })
  it.hello('a', 'r1')
  it.report('a', 'r1')
  await until(() => it.condition('web')?.status === 'True', 'it is Ready')
  t.deepEqual(
    it.events.filter((each) => each !== 'RouterReady'),
    [],
  )
})
