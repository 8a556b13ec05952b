import test, { type ExecutionContext } from 'ava'
import * as fc from 'fast-check'
import { checkResource } from '../manifest/check.ts'
import { kindNamed, type AnyResource } from '../kinds/kinds.ts'
import { snapshotOf, type Secret, type Snapshot } from '../snapshot/snapshot.ts'
import { FabricPlanner } from './fabric-planner.ts'
import type { NodeFacts } from './node-facts.ts'
import { changed, piecesOf, planOf } from './pieces.ts'
import { plan } from './plan.ts'
import type { Piece, PlanVersion } from './plan-version.ts'
import { revisionOf, revisionOfPieces } from './revision.ts'
import { atOnce, type Steps } from './steps.ts'

function object(kind: string, name: string, spec: unknown, created = '2026-01-01T00:00:00Z'): AnyResource {
  const declared = kindNamed(kind)
  if (!declared) throw new Error(kind)
  const metadata = { name, creationTimestamp: created }
  const checked = checkResource(declared, { apiVersion: 'nodeleaf.io/v1alpha1', kind, metadata, spec })
  if ('issues' in checked) throw new Error(JSON.stringify(checked.issues))
  return checked.object
}

const secretOf = (name: string, password: string): Secret => ({
  kind: 'Secret',
  metadata: { name },
  data: { password },
})

const neighbor = { address: '192.168.10.1', type: 'External' }
const underlay = { asn: 64514, vtep: { cidrs: ['100.65.0.0/24'] }, neighbors: [neighbor] }
const session = (ipv4: string) => ({ hostSession: { hostASN: 64515, localCIDR: { ipv4 } } })
const on = (label: string, value: string) => ({ nodeSelector: { matchLabels: { [label]: value } } })

const fabric: readonly AnyResource[] = [
  object('Underlay', 'u', underlay),
  object('L3VNI', 'red', { vni: 100, vrf: 'red', ...session('192.169.10.0/24') }),
  object('L2VNI', 'web', { vni: 110, vrf: 'red' }),
  object('L2VNI', 'rack1', { vni: 111, ...on('rack', '1') }),
]
const nodes = (count: number): readonly NodeFacts[] =>
  Array.from({ length: count }, (_, index) => ({ name: `n${index}`, index, labels: { rack: String(index % 2) } }))

const updated = (planner: FabricPlanner, snapshot: Snapshot, facts: readonly NodeFacts[]): readonly string[] =>
  atOnce(planner.update(snapshot, facts))

/** Holds every version against the plan of the node, as an agent would put it together. */
class Agents {
  readonly #planner: FabricPlanner
  readonly #held = new Map<string, { version: PlanVersion; pieces: readonly Piece[] }>()

  constructor(planner: FabricPlanner) {
    this.#planner = planner
  }

  check(t: ExecutionContext, snapshot: Snapshot, facts: readonly NodeFacts[], told: readonly string[]): void {
    // One that comes back is told of like any that is new.
    const there = new Set(facts.map((node) => node.name))
    for (const node of this.#held.keys()) if (!there.has(node)) this.#held.delete(node)
    for (const node of facts) {
      const version = this.#planner.current(node.name)
      if (!version) throw new Error(`${node.name} has no plan`)
      const expected = plan(snapshot, node)
      const held = this.#held.get(node.name)
      const pieces = changed(held?.pieces ?? [], version.changesSince(held?.version))
      t.deepEqual(planOf(node.name, pieces), expected.plan)
      t.deepEqual(pieces.map(textOf).sort(), piecesOf(expected.plan).map(textOf).sort())
      t.is(version.revision, revisionOf(expected.plan))
      t.is(revisionOfPieces(node.name, pieces), version.revision)
      t.deepEqual(version.refused, expected.refused)
      t.is(planOf(node.name, changed([], version.changesSince())).segments.length, expected.plan.segments.length)
      const differs = held?.version.revision !== version.revision || held.version.refused !== version.refused
      t.is(told.includes(node.name), differs)
      this.#held.set(node.name, { version, pieces })
    }
  }
}

const textOf = ({ key, json }: Piece): string => `${key} ${Buffer.from(json).toString()}`

test('nodes get the plans that plan() makes for them', (t) => {
  const planner = new FabricPlanner()
  const snapshot = snapshotOf(fabric)
  const facts = nodes(5)
  new Agents(planner).check(t, snapshot, facts, updated(planner, snapshot, facts))
  t.is(planner.current('elsewhere'), undefined)
})

test('a change is a new version for the nodes that it touches, and a piece', (t) => {
  const planner = new FabricPlanner()
  updated(planner, snapshotOf(fabric), nodes(6))
  const before = planner.current('n1')
  const more = [...fabric, object('L2VNI', 'more', { vni: 112, ...on('rack', '1') })]
  t.deepEqual(updated(planner, snapshotOf(more), nodes(6)), ['n1', 'n3', 'n5'])
  const change = planner.current('n1')?.changesSince(before)
  t.deepEqual([change?.set.map(({ key }) => key), change?.remove], [['segment/112'], []])
  t.deepEqual(updated(planner, snapshotOf(fabric), nodes(6)), ['n1', 'n3', 'n5'])
  t.deepEqual(planner.current('n1')?.changesSince(before), { set: [], remove: [] })
})

test('the same world read anew changes nothing', (t) => {
  const planner = new FabricPlanner()
  const again = () => snapshotOf(fabric.map((each) => structuredClone(each)))
  updated(planner, again(), nodes(4))
  for (const { name } of nodes(4)) t.truthy(planner.current(name)?.revision)
  t.deepEqual(updated(planner, again(), nodes(4)), [])
})

test('a label of one node touches that node only', (t) => {
  const planner = new FabricPlanner()
  updated(planner, snapshotOf(fabric), nodes(4))
  const moved = nodes(4).map((each) => (each.name === 'n0' ? { ...each, labels: { rack: '1' } } : each))
  t.deepEqual(updated(planner, snapshotOf(fabric), moved), ['n0'])
  t.deepEqual(
    updated(
      planner,
      snapshotOf(fabric),
      moved.map((each) => ({ ...each, labels: { ...each.labels, other: 'x' } })),
    ),
    [],
  )
})

test('nodes that come and go are told of', (t) => {
  const planner = new FabricPlanner()
  updated(planner, snapshotOf(fabric), nodes(2))
  t.deepEqual(updated(planner, snapshotOf(fabric), nodes(3)), ['n2'])
  t.deepEqual(updated(planner, snapshotOf(fabric), nodes(1)), ['n1', 'n2'])
  t.is(planner.current('n2'), undefined)
})

test('the Underlay that stands on a node is known before the node has numbers', (t) => {
  const planner = new FabricPlanner()
  const objects = [
    object('Underlay', 'a', { ...underlay, interfaces: [{ name: 'eth1' }], ...on('rack', '1') }),
    object('Underlay', 'b', { ...underlay, ...on('rack', '1') }, '2026-01-02T00:00:00Z'),
    object('L3VNI', 'nic', { vni: 1, vrf: 'eth1', ...on('name', 'n3') }, '2025-01-01T00:00:00Z'),
  ]
  const known = nodes(4).map((each) => ({ ...each, labels: { ...each.labels, name: each.name } }))
  const underlayOf = atOnce(planner.underlays(snapshotOf(objects), known))
  t.deepEqual(
    known.map(({ name }) => underlayOf(name)?.metadata.name),
    [undefined, 'a', undefined, 'b'],
  )
})

test('a Secret that comes, is no password, and then is one is told of, and changes what waits for it', (t) => {
  const planner = new FabricPlanner()
  const { hostSession } = session('192.168.20.0/24')
  const objects = [
    object('Underlay', 'u', underlay),
    object('L3VNI', 'red', { vni: 1, vrf: 'red', hostSession: { ...hostSession, passwordSecret: { name: 's' } } }),
  ]
  const said = [[], [secretOf('s', 'two words')], [secretOf('s', 'x')], [secretOf('s', 'x')], []].map((secrets) => [
    updated(planner, snapshotOf([...objects, ...secrets]), nodes(1)).length,
    planner
      .current('n0')
      ?.refused.map(({ reason }) => reason)
      .join(),
  ])
  t.deepEqual(said, [
    [1, 'SecretMissing'],
    [1, 'SecretInvalid'],
    [1, ''],
    [0, ''],
    [1, 'SecretMissing'],
  ])
})

/** Worlds full of conflicts, and what happens to them. */
const selector = fc.constantFrom({}, on('rack', '0'), on('rack', '1'), on('zone', 'a'), {
  nodeSelector: { matchExpressions: [{ key: 'zone', operator: 'DoesNotExist' }] },
})
const cidr = fc.constantFrom('10.0.0.0/24', '10.0.0.0/29', '10.1.0.0/16', '192.168.10.0/24', '100.65.0.0/28')
const secret = fc.constantFrom({}, {}, { passwordSecret: { name: 'there' } }, { passwordSecret: { name: 'missing' } })
const vni = fc.integer({ min: 1, max: 5 })
const vrf = fc.constantFrom('red', 'blue', 'eth1')
const specs = fc.oneof(
  fc
    .record({
      selector,
      secret,
      asn: fc.constantFrom(64514, 64520),
      pools: fc.constantFrom(['100.65.0.0/24'], ['100.65.0.0/30'], ['fd00::/64', '100.65.1.0/24'], undefined),
      ids: fc.constantFrom(undefined, '10.9.0.0/24', '10.9.0.0/30'),
    })
    .map((w) => [
      'Underlay',
      {
        asn: w.asn,
        ...w.selector,
        ...(w.pools ? { vtep: { cidrs: w.pools } } : { routerIDCIDR: '10.9.0.0/24' }),
        ...(w.ids === undefined ? {} : { routerIDCIDR: w.ids }),
        interfaces: [{ name: 'eth1' }],
        neighbors: [{ ...neighbor, ...w.secret }],
      },
    ]),
  fc.record({ selector, secret, vni, vrf, cidr }).map((w) => {
    const { hostSession } = session(w.cidr)
    return ['L3VNI', { vni: w.vni, vrf: w.vrf, ...w.selector, hostSession: { ...hostSession, ...w.secret } }]
  }),
  fc.record({ selector, vni, vrf }).map((w) => ['L3VNI', { vni: w.vni, vrf: w.vrf, ...w.selector }]),
  fc
    .record({ selector, vni, vrf, gateway: fc.constantFrom([], ['10.0.0.1/24'], ['10.2.0.1/24', 'fd00::1/64']) })
    .map((w) => ['L2VNI', { vni: w.vni, vrf: w.vrf, ...w.selector, gatewayIPs: w.gateway }]),
  fc
    .record({ selector, vni, bridge: fc.constantFrom('br0', 'eth1') })
    .map((w) => ['L2VNI', { vni: w.vni, ...w.selector, hostMaster: { type: 'LinuxBridge', name: w.bridge } }]),
  fc
    .record({ selector, cidr, secret })
    .map((w) => ['L3Passthrough', { ...w.selector, hostSession: { ...session(w.cidr).hostSession, ...w.secret } }]),
) as fc.Arbitrary<[string, object]>
const created = fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z')
const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g')
const labels = fc.record({ rack: fc.constantFrom('0', '1'), zone: fc.constantFrom('a', 'b') }, { requiredKeys: [] })
const edit = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('set'), name, spec: specs, created }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('remove'), name }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('secret'), password: fc.constantFrom('x', 'y', 'two words', undefined) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('node'),
      node: fc.constantFrom('n0', 'n1', 'n2', 'n3'),
      labels,
      index: fc.integer({ min: 0, max: 7 }),
      recorded: fc.constantFrom(
        {},
        { exhausted: ['100.65.0.0/24'] },
        { vteps: ['100.65.0.99'] },
        { vteps: ['10.7.7.7'], routerID: '10.9.0.77' },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('gone'), node: fc.constantFrom('n0', 'n1', 'n2', 'n3') }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('number'),
      node: fc.constantFrom('n0', 'n1', 'other'),
      index: fc.integer({ min: 0, max: 4 }),
      vtep: fc.constantFrom([], ['100.65.0.1'], ['100.65.0.99']),
      created,
    }),
  },
) as fc.Arbitrary<
  | { type: 'set'; name: string; spec: [string, object]; created: string }
  | { type: 'remove'; name: string }
  | { type: 'secret'; password: string | undefined }
  | { type: 'node'; node: string; labels: Record<string, string>; index: number; recorded: object }
  | { type: 'gone'; node: string }
  | { type: 'number'; node: string; index: number; vtep: string[]; created: string }
>

test('whatever is edited, the planner has the plans that plan() makes, and the changes lead there', (t) => {
  fc.assert(
    fc.property(fc.array(fc.array(edit, { minLength: 1, maxLength: 6 }), { maxLength: 8 }), (rounds) => {
      const planner = new FabricPlanner()
      const agents = new Agents(planner)
      const world = new Map<string, AnyResource | Secret>([['Underlay', object('Underlay', 'z', underlay)]])
      const facts = new Map(nodes(2).map((each) => [each.name, each]))
      for (const edits of [[], ...rounds]) {
        for (const each of edits) {
          if (each.type === 'set') world.set(each.name, object(each.spec[0], each.name, each.spec[1], each.created))
          else if (each.type === 'remove') world.delete(each.name)
          else if (each.type === 'secret' && each.password === undefined) world.delete('Secret')
          else if (each.type === 'secret') world.set('Secret', secretOf('there', each.password ?? ''))
          else if (each.type === 'gone') facts.delete(each.node)
          else if (each.type === 'node')
            facts.set(each.node, { name: each.node, index: each.index, labels: each.labels, ...each.recorded })
          else {
            const { index, vtep, node } = each
            world.set(`rn ${node}`, object('RouterNode', node, { index, addresses: { vteps: vtep } }, each.created))
          }
        }
        const snapshot = snapshotOf([...world.values()])
        const all = [...facts.values()]
        agents.check(t, snapshot, all, updated(planner, snapshot, all))
      }
    }),
    { numRuns: 200 },
  )
})

test('hundreds of selectors that come and go at once cost each node once', (t) => {
  const planner = new FabricPlanner()
  const many = Array.from({ length: 700 }, (_, at) =>
    object('L2VNI', `v${at}`, {
      vni: at + 1,
      nodeSelector: { matchExpressions: [{ key: 'rack', operator: 'NotIn', values: [`r${at}`] }] },
    }),
  )
  const [all, none] = [snapshotOf([...fabric.slice(0, 1), ...many]), snapshotOf(fabric.slice(0, 1))]
  updated(planner, none, nodes(700))
  const start = process.cpuUsage()
  updated(planner, all, nodes(700))
  t.is(planner.current('n0')?.changesSince().set.length, 701)
  updated(planner, none, nodes(700))
  // Sorted anew for each of them it was ten seconds, which is longer than a Lease.
  t.true(process.cpuUsage(start).user < 5_000_000)
  t.is(planner.current('n0')?.changesSince().set.length, 1)
})

test('with 5,000 nodes each node and each object is a step of its own', (t) => {
  let looked = 0
  const watched = (facts: readonly NodeFacts[]): readonly NodeFacts[] =>
    facts.map(({ index, ...rest }) => ({
      ...rest,
      get index() {
        looked++
        return index
      },
    }))
  const segments = Array.from({ length: 300 }, (_, at) => object('L2VNI', `s${at}`, { vni: 1000 + at, vrf: 'red' }))
  const large = [object('Underlay', 'u', { ...underlay, vtep: { cidrs: ['100.65.0.0/16'] } }), ...fabric.slice(1)]
  const snapshot = snapshotOf([...large, ...segments])
  const planner = new FabricPlanner()
  /** Steps, and the most looks at nodes in one of them. */
  const walk = (steps: Steps<readonly string[]>): { steps: number; most: number; told: number } => {
    for (let [count, most] = [0, 0]; ; count++) {
      looked = 0
      const step = steps.next()
      most = Math.max(most, looked)
      if (step.done === true) return { steps: count, most, told: step.value.length }
    }
  }
  const facts = watched(nodes(5000))
  const first = walk(planner.update(snapshot, facts))
  t.is(first.told, 5000)
  t.true(first.steps >= 2 * 5000 + 2 * segments.length, `${first.steps} steps`)
  t.true(first.most < 20, `${first.most} looks at nodes in one step`)
  const more = walk(planner.update(snapshotOf([...large, ...segments.slice(1)]), facts))
  t.is(more.told, 5000)
  t.true(more.most < 20, `${more.most} looks at nodes in one step`)
})

test('an update that was broken off anywhere is as if it had not begun, and the next one comes to the same plans', (t) => {
  const all = [...fabric, object('L2VNI', 'taken', { vni: 110 }, '2026-02-01T00:00:00Z')]
  const snapshots = [all, fabric, [...all, object('L2VNI', 'more', { vni: 112, ...on('rack', '1') })]].map((objects) =>
    snapshotOf([...objects, secretOf('s', `p${objects.length}`)]),
  )
  const [first, second, third] = snapshots as [Snapshot, Snapshot, Snapshot]
  for (let [stop, done] = [0, false]; !done; stop++) {
    const planner = new FabricPlanner()
    const agents = new Agents(planner)
    agents.check(t, first, nodes(5), updated(planner, first, nodes(5)))
    const before = nodes(6).map((node) => planner.current(node.name))
    const broken = planner.update(second, nodes(6))
    for (let at = 0; at < stop && !done; at++) done = broken.next().done === true
    t.is(
      nodes(6).every((node, at) => planner.current(node.name) === before[at]),
      !done,
    )
    broken.return([])
    agents.check(t, third, nodes(7), updated(planner, third, nodes(7)))
  }
})
