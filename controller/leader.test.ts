import { create } from '@bufbuild/protobuf'
import test, { type ExecutionContext } from 'ava'
import { Registry } from 'prom-client'
import { underlay as underlayKind, type Underlay } from '../api/kinds/underlay.ts'
import type { L2VNI } from '../api/kinds/l2vni.ts'
import { snapshotOf } from '../api/snapshot/snapshot.ts'
import { HelloSchema, ReportSchema } from '../api/wire/generated/distribution_pb.ts'
import { createLog } from '../log/log.ts'
import { until } from './distribution/stage.ts'
import type { FabricStore } from './fabric/fabric-store.ts'
import { routerNodeOf } from './fabric/router-node-spec.ts'
import type { Condition, Declared, ResourceStatus, RouterNodeSeen, World } from './fabric/world.ts'
import { Leader } from './leader.ts'
import { createLeaderMetrics } from './metrics.ts'

function underlay(cidrs: readonly string[]): Underlay {
  const spec = underlayKind.spec.parse({
    asn: 64514,
    vtep: { cidrs },
    neighbors: [{ address: '192.168.10.1', type: 'External' }],
  })
  return { kind: 'Underlay', metadata: { name: 'fabric' }, spec }
}

const l2vni = (vni: number): L2VNI => ({
  kind: 'L2VNI',
  metadata: { name: 'web' },
  spec: { vni, gatewayIPs: [], routeTargets: { import: [], export: [] }, suppressARP: true },
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
    nodes: nodes.map((name) => ({ name, labels: {}, uid: name })),
    declared,
    routerNodes,
  }
}

/** A leader over a store in memory whose ledger can be made to fail. */
function stage(t: ExecutionContext) {
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
  const leader = new Leader({
    store: store as unknown as FabricStore,
    log: createLog({ level: 'info', format: 'kv', write: (line) => log.push(line), now: () => new Date() }),
    metrics: createLeaderMetrics(new Registry()),
    now: Date.now,
    indexRestMs: 3_600_000,
    agentGraceMs: 60_000,
    changed: () => {},
    requestDetail: () => {},
  })
  const stop = new AbortController()
  const running = leader.run(stop.signal)
  t.teardown(async () => {
    stop.abort()
    await running
  })
  return {
    leader,
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
