/**
 * What planning costs: thousands of nodes and VNIs, one change after the other. Usage: node bench/planner.ts [NODES] [VNIS] [RACKS]
 *
 * Baseline: `plan()` for one node, times the nodes: what planning everything anew would cost.
 */
import { kindNamed, type AnyResource } from '../api/kinds/kinds.ts'
import { checkResource } from '../api/manifest/check.ts'
import { FabricPlanner } from '../api/plan/fabric-planner.ts'
import type { NodeFacts } from '../api/plan/node-facts.ts'
import { plan } from '../api/plan/plan.ts'
import type { PlanVersion } from '../api/plan/plan-version.ts'
import { atOnce } from '../api/plan/steps.ts'
import { snapshotOf, type Snapshot } from '../api/snapshot/snapshot.ts'

const [nodeCount = 5000, vniCount = 2000, rackCount = 40] = process.argv.slice(2).map(Number)

function object(kind: string, name: string, spec: unknown): AnyResource {
  const declared = kindNamed(kind)
  if (!declared) throw new Error(kind)
  const checked = checkResource(declared, { apiVersion: 'nodeleaf.io/v1alpha1', kind, metadata: { name }, spec })
  if ('issues' in checked) throw new Error(JSON.stringify(checked.issues))
  return checked.object
}

/** Every tenth is an L3VNI with a session of both families; the others are its segments, with gateways of both families. */
function vni(i: number, more = {}): AnyResource {
  const tenant = Math.floor(i / 10)
  const vrf = `t${tenant}`
  if (i % 10 !== 0) {
    const gatewayIPs = [`10.${i >> 8}.${i & 255}.1/24`, `fd00:${i.toString(16)}::1/64`]
    return object('L2VNI', `segment-${i}`, { vni: i + 1, vrf, gatewayIPs, ...more })
  }
  const localCIDR = { ipv4: `100.${64 + (tenant >> 3)}.${(tenant & 7) << 5}.0/19`, ipv6: `fd01:${i.toString(16)}::/64` }
  return object('L3VNI', `tenant-${tenant}`, { vni: i + 1, vrf, hostSession: { hostASN: 64515, localCIDR }, ...more })
}

const inRack = (rack: number) => ({ nodeSelector: { matchLabels: { rack: String(rack) } } })

/** An Underlay for each rack, with its own pair of neighbours. */
const underlays = Array.from({ length: rackCount }, (_, rack) =>
  object('Underlay', `rack-${rack}`, {
    asn: 64514,
    interfaces: [{ name: 'eth1' }, { name: 'eth2' }],
    vtep: { cidrs: ['100.127.0.0/16'] },
    neighbors: [1, 2].map((host) => ({ address: `172.${16 + (rack >> 8)}.${rack & 255}.${host}`, type: 'External' })),
    ...inRack(rack),
  }),
)
const facts: readonly NodeFacts[] = Array.from({ length: nodeCount }, (_, index) => ({
  name: `node-${index}.example.com`,
  index,
  labels: { 'kubernetes.io/hostname': `node-${index}`, rack: String(index % rackCount), zone: String(index % 3) },
}))

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
function memory(): { heap: number; rss: number } {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  return { heap: heapUsed + arrayBuffers, rss }
}

function timed<T>(what: string, work: () => T): T {
  const start = performance.now()
  const cpu = process.cpuUsage()
  const result = work()
  const { user, system } = process.cpuUsage(cpu)
  const count = Array.isArray(result) ? `, ${result.length} nodes` : ''
  console.log(
    `${what}: ${(performance.now() - start).toFixed(1)} ms, CPU ${((user + system) / 1000).toFixed(1)} ms${count}`,
  )
  return result
}

let objects: readonly AnyResource[] = [...underlays, ...Array.from({ length: vniCount }, (_, i) => vni(i))]
let snapshot: Snapshot = snapshotOf(objects)
const planner = new FabricPlanner()
const held = new Map<string, PlanVersion>()

/** Plans, and looks at each changed version as an agent's session does. */
function change(what: string, next: readonly AnyResource[], nodes = facts): void {
  objects = next
  snapshot = snapshotOf(objects)
  const changed = timed(`${what}: plan`, () => atOnce(planner.update(snapshot, nodes)))
  let pieces = 0
  timed(`${what}: hand out`, () => {
    for (const name of changed) {
      const version = planner.current(name)
      if (!version) continue
      pieces += version.changesSince(held.get(name)).set.length
      if (version.revision === '' || version.refused.length > vniCount) throw new Error('no plan')
      held.set(name, version)
    }
  })
  console.log(`${what}: ${pieces} pieces`)
}

console.log(`${nodeCount} nodes, ${vniCount} VNIs, ${rackCount} racks`)
const before = memory()
console.log(`objects alone: RSS ${megabytes(before.rss)}`)
timed('underlays', () => atOnce(planner.underlays(snapshot, facts)))
timed('first plans', () => atOnce(planner.update(snapshot, facts)))
timed('first revisions', () => {
  for (const { name } of facts) {
    const version = planner.current(name)
    if (version?.revision !== undefined && version.refused.length === 0) held.set(name, version)
  }
})
const after = memory()
console.log(`planner: ${megabytes(after.heap - before.heap)} in the heap, RSS ${megabytes(after.rss)}`)
change('nothing', objects)
change('one L2VNI more', [...objects, object('L2VNI', 'more', { vni: 100_001 })])
change('it is gone', objects.slice(0, -1))
change(
  'an L3VNI changes',
  objects.map((each) => (each.metadata.name === 'tenant-0' ? vni(0, { mtu: 1400 }) : each)),
)
change('an L2VNI on 3 nodes', [
  ...objects,
  object('L2VNI', 'few', {
    vni: 100_002,
    nodeSelector: {
      matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['node-1', 'node-2', 'node-3'] }],
    },
  }),
])
change(
  'a label of one node',
  objects,
  facts.map((each) => (each.index === 7 ? { ...each, labels: { ...each.labels, rack: '0' } } : each)),
)
change('a VNI that another has', [...objects, object('L2VNI', 'taken', { vni: 5 })])
change(
  'all read anew',
  objects.map((each) => structuredClone(each)),
)
const end = memory()
console.log(`planner: ${megabytes(end.heap - before.heap)} in the heap, RSS ${megabytes(end.rss)}`)
timed('baseline, plan() for one node', () => plan(snapshot, facts[0] ?? { name: 'x', index: 0, labels: {} }))
