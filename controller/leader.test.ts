import { create } from '@bufbuild/protobuf'
import test, { type ExecutionContext } from 'ava'
import { Registry } from 'prom-client'
import { underlay as underlayKind, type Underlay } from '../api/kinds/underlay.ts'
import { FabricPlanner } from '../api/plan/fabric-planner.ts'
import type { L2VNI } from '../api/kinds/l2vni.ts'
import type { Steps } from '../api/plan/steps.ts'
import { snapshotOf } from '../api/snapshot/snapshot.ts'
import { HelloSchema, ReportSchema } from '../api/wire/generated/distribution_pb.ts'
import { createLog } from '../log/log.ts'
import { until } from './distribution/stage.ts'
import type { FabricStore } from './fabric/fabric-store.ts'
import { routerNodeOf } from './fabric/router-node-spec.ts'
import type { Condition, Declared, ResourceStatus, RouterNodeSeen, World } from './fabric/world.ts'
import { Leader, type LeaderOptions } from './leader.ts'
import { createLeaderMetrics } from './metrics.ts'

function underlay(cidrs: readonly string[]): Underlay {
  const spec = underlayKind.spec.parse({
    asn: 64514,
    vtep: { cidrs },
    neighbors: [{ address: '192.168.10.1', type: 'External' }],
  })
  return { kind: 'Underlay', metadata: { name: 'fabric' }, spec }
}

const l2vni = (vni: number, host?: string): L2VNI => ({
  kind: 'L2VNI',
  metadata: { name: `web-${host ?? 'all'}` },
  spec: {
    vni,
    gatewayIPs: [],
    routeTargets: { import: [], export: [] },
    suppressARP: true,
    ...(host === undefined ? {} : { nodeSelector: { matchLabels: { host } } }),
  },
})

/** A document in which a person gives the node an index. */
const fixed = (name: string, index: number): RouterNodeSeen => ({
  name,
  fixed: true,
  resource: routerNodeOf(name, index, [], undefined),
  specDigest: '',
  conditions: [],
  stateDigest: '',
  detailDigest: '',
})

interface Parts {
  readonly resources: readonly (readonly [generation: number, Underlay | L2VNI])[]
  readonly nodes: readonly string[]
  readonly routerNodes?: readonly RouterNodeSeen[]
}

function worldOf({ resources, nodes, routerNodes = [] }: Parts, statuses: ReadonlyMap<string, ResourceStatus>): World {
  const declared = resources.map(([generation, resource]): Declared => {
    const { kind, metadata } = resource
    const status = statuses.get(kind)
    const said = { ref: { kind, name: metadata.name }, uid: kind, generation, checked: { resource } }
    return { ...said, ...(status === undefined ? {} : { status }) }
  })
  return {
    snapshot: snapshotOf(resources.map(([, resource]) => resource)),
    nodes: nodes.map((name) => ({ name, labels: { host: name }, uid: name })),
    declared,
    routerNodes,
  }
}

/** A leader over a store in memory whose ledger can be made to fail; `term` begins another one over the same. */
function stage(t: ExecutionContext, planner = new FabricPlanner(), clock?: () => number) {
  const statuses = new Map<string, ResourceStatus>()
  const log: string[] = []
  const ledger: { text: string | undefined; fails: boolean } = { text: undefined, fails: false }
  const store = {
    world: undefined as World | undefined,
    agentConnected: () => {},
    agentDisconnected: () => {},
    loadLedger: async () => ledger.text,
    saveLedger: async (text: string) => {
      if (ledger.fails) throw new Error('cannot be written')
      ledger.text = text
    },
    applyStatus: async ({ ref }: Declared, status: ResourceStatus) => void statuses.set(ref.kind, status),
    applyRouterNode: async () => {},
    deleteRouterNode: async () => {},
    applyRouterNodeState: async () => {},
    applyRouterNodeDetail: async () => {},
    record: () => {},
  }
  const options: LeaderOptions = {
    store: store as unknown as FabricStore,
    planner,
    log: createLog({ level: 'info', format: 'kv', write: (line) => log.push(line), now: () => new Date() }),
    metrics: createLeaderMetrics(new Registry()),
    now: Date.now,
    indexRestMs: 3_600_000,
    agentGraceMs: 60_000,
    changed: () => {},
    requestDetail: () => {},
    ...(clock === undefined ? {} : { monotonic: clock }),
  }
  const begin = () => {
    const leader = new Leader(options)
    const stop = new AbortController()
    const running = leader.run(stop.signal)
    const end = async (): Promise<void> => {
      stop.abort()
      await running
    }
    t.teardown(end)
    return { leader, end }
  }
  let { leader, end } = begin()
  return {
    get leader() {
      return leader
    },
    async term(): Promise<void> {
      await end()
      ;({ leader, end } = begin())
    },
    ledger,
    log,
    show(parts: Parts): void {
      store.world = worldOf(parts, statuses)
      leader.worldChanged()
    },
    condition: (kind: string): Condition | undefined =>
      statuses.get(kind)?.conditions.find(({ type }) => type === 'Ready'),
    settle(node: string): void {
      const revision = leader.current(node)?.revision ?? ''
      leader.acknowledged(node, revision, undefined)
      leader.reported(node, create(ReportSchema, { lastGood: revision, applied: revision, settled: true }))
    },
  }
}

test('while numbers cannot be saved no node is called Ready for a change that waits for them', async (t) => {
  const it = stage(t)
  it.show({
    resources: [
      [1, underlay(['100.65.0.0/24'])],
      [1, l2vni(110)],
    ],
    nodes: ['node1'],
  })
  it.leader.connected('node1', create(HelloSchema, { node: 'node1' }))
  await until(() => it.leader.current('node1') !== undefined, 'there is a plan')
  it.settle('node1')
  await until(() => it.condition('L2VNI')?.status === 'True', 'it is Ready')
  it.ledger.fails = true
  const changed: Parts = {
    resources: [
      [2, underlay(['100.65.0.0/24', 'fd00:65::/64'])],
      [2, l2vni(120)],
    ],
    nodes: ['node1'],
  }
  it.show(changed)
  await until(() => it.condition('L2VNI')?.observedGeneration === 2, 'the change is seen')
  t.is(it.condition('L2VNI')?.status, 'False')
  it.ledger.fails = false
  await until(() => it.leader.current('node1') !== undefined, 'there is a plan again')
  it.settle('node1')
  await until(() => it.condition('L2VNI')?.status === 'True', 'it is Ready again')
})

test('a ledger that is removed by hand is written anew, with the numbers that rest', async (t) => {
  const it = stage(t)
  const resources = [[1, underlay(['100.65.0.0/24'])]] as const
  it.show({ resources, nodes: ['node1', 'node2'] })
  await until(() => it.leader.current('node2') !== undefined, 'both have numbers')
  it.show({ resources, nodes: ['node2'] })
  await until(() => /node1.*goneSince/.test(it.ledger.text ?? ''), 'a number rests')
  it.ledger.text = undefined
  it.ledger.fails = true
  it.show({ resources, nodes: ['node2', 'node3'] })
  await until(() => it.log.some((line) => line.includes('cannot save the ledger')), 'it fails')
  it.ledger.fails = false
  await until(() => it.leader.current('node3') !== undefined, 'the new one has numbers')
  t.regex(it.ledger.text ?? '', /"node1":\{"index":0.*\n"node2":\{"index":1.*\n"node3":\{"index":2/)
})

test('of two documents that give the same index the first stands, and the other node keeps its own', async (t) => {
  const it = stage(t)
  const resources = [[1, underlay(['100.65.0.0/24'])]] as const
  it.show({ resources, nodes: ['node1', 'node2', 'node3'] })
  await until(() => it.leader.current('node3') !== undefined, 'all have numbers')
  it.show({
    resources,
    nodes: ['node1', 'node2', 'node3'],
    routerNodes: [fixed('node2', 9), fixed('node3', 9)],
  })
  await until(() => /"node2":\{"index":9/.test(it.ledger.text ?? ''), 'the first is moved')
  t.regex(it.ledger.text ?? '', /"node3":\{"index":2/)
  await until(() => it.log.some((line) => line.includes('withheld')), 'it is told')
  t.regex(it.log.find((line) => line.includes('withheld')) ?? '', /RouterNode\/node3.*value=9 holder=node2 keeps=2/)
})

test('a lease that was lost and won again: nothing is told before a round is over, and only what changed is planned anew', async (t) => {
  const it = stage(t)
  const nodes = ['node1', 'node2']
  const objects = [
    [1, underlay(['100.65.0.0/24'])],
    [1, l2vni(110)],
    [1, l2vni(111, 'node1')],
  ] as const
  it.show({ resources: objects, nodes })
  await until(() => it.leader.current('node2') !== undefined, 'there are plans')
  const [first, second] = nodes.map((name) => it.leader.current(name))
  await it.term()
  t.is(it.leader.current('node1'), undefined)
  await until(() => it.leader.current('node2') !== undefined, 'there are plans again')
  t.is(it.leader.current('node1'), first)
  t.is(it.leader.current('node2'), second)
  await it.term()
  it.show({ resources: [...objects.slice(0, 2), [2, l2vni(112, 'node1')]], nodes })
  await until(() => it.leader.current('node2') !== undefined, 'there are plans once more')
  t.not(it.leader.current('node1')?.revision, first?.revision)
  t.is(it.leader.current('node2'), second)
})

test('while 5,000 nodes are planned the rest of the process has its turn every few nodes', async (t) => {
  const turns = { now: 0, last: 0, most: 0 }
  const step = (): void => {
    turns.last = turns.now === seen ? turns.last + 1 : 1
    seen = turns.now
    turns.most = Math.max(turns.most, turns.last)
    steps++
  }
  let [seen, steps, ticks, stopped] = [0, 0, 0, false]
  setImmediate(function again() {
    turns.now++
    if (!stopped) setImmediate(again)
  })
  class Watched extends FabricPlanner {
    override *update(...given: Parameters<FabricPlanner['update']>): ReturnType<FabricPlanner['update']> {
      return yield* watched(super.update(...given), step)
    }
    override *underlays(...given: Parameters<FabricPlanner['underlays']>): ReturnType<FabricPlanner['underlays']> {
      return yield* watched(super.underlays(...given), step)
    }
  }
  // Each look at the clock is a millisecond.
  const it = stage(t, new Watched(), () => ticks++)
  t.teardown(() => (stopped = true))
  const nodes = Array.from({ length: 5000 }, (_, at) => `node${at}`)
  const resources = [[1, underlay(['100.65.0.0/16'])] as const, [1, l2vni(110)] as const]
  it.show({ resources, nodes })
  await until(() => it.leader.current('node4999') !== undefined, 'all are planned', 60_000)
  stopped = true
  t.true(steps >= 10_000, `${steps} steps`)
  t.true(turns.most <= 20, `${turns.most} steps in one turn`)
})

function* watched<Result>(of: Steps<Result>, step: () => void): Steps<Result> {
  for (;;) {
    const next = of.next()
    if (next.done === true) return next.value
    step()
    yield
  }
}
