import test from 'ava'
import * as fc from 'fast-check'
import type { Underlay } from '../../api/kinds/underlay.ts'
import { underlay as kind } from '../../api/kinds/underlay.ts'
import type { Labels } from '../../api/kinds/selector.ts'
import { poolNumbers } from '../../api/plan/pool.ts'
import { allocate, type Allocation, type AllocationWorld } from './allocate.ts'
import { decodeLedger, encodeLedger, LedgerError, ledgerOf, type Ledger } from './ledger.ts'

const HOUR = 3_600_000
const none: Ledger = new Map()

interface Pools {
  readonly cidrs?: readonly string[]
  readonly ids?: string
}

function fabric({ cidrs, ids }: Pools, name = 'fabric'): Underlay {
  const spec = kind.spec.parse({
    asn: 64514,
    ...(cidrs ? { vtep: { cidrs } } : {}),
    ...(ids === undefined ? {} : { routerIDCIDR: ids }),
    neighbors: [{ address: '192.168.10.1', type: 'External' }],
  })
  return { kind: 'Underlay', metadata: { name }, spec }
}

/** Nodes `a b`; `a=red` has the label underlay=red, which picks the Underlay of that name. */
function world(nodes: string, pools: Pools | Record<string, Pools> = { cidrs: ['100.65.0.0/24'] }): AllocationWorld {
  const named = 'cidrs' in pools || 'ids' in pools || Object.keys(pools).length === 0 ? undefined : pools
  const one = named ? undefined : fabric(pools as Pools)
  const many = new Map(Object.entries(named ?? {}).map(([name, each]) => [name, fabric(each as Pools, name)]))
  return {
    nodes: nodes
      .split(' ')
      .filter(Boolean)
      .map((text) => {
        const [name = '', label] = text.split('=')
        return { name, labels: label === undefined ? {} : { underlay: label } }
      }),
    routerNodes: [],
    underlayOf: (labels: Labels) =>
      labels['underlay'] === 'none' ? undefined : (one ?? many.get(labels['underlay'] ?? '')),
    restMs: HOUR,
  }
}

const shown = ({ ledger }: Allocation): readonly string[] =>
  [...ledger.values()].map(({ node, index, vteps, routerID, goneSince, idle }) =>
    [
      node,
      index,
      ...vteps,
      ...(routerID === undefined || routerID === vteps[0] ? [] : [`id ${routerID}`]),
      ...(goneSince === undefined ? [] : [`gone ${goneSince}`]),
      ...(idle ? ['idle'] : []),
    ].join(' '),
  )

test('nodes get the smallest free indexes by name, and the addresses that follow', (t) => {
  const made = allocate(none, world('b a', { cidrs: ['100.65.0.0/24', 'fd00:65::/64'], ids: '10.9.0.0/24' }), 0)
  t.deepEqual(shown(made), ['a 0 100.65.0.1 fd00:65::1 id 10.9.0.1', 'b 1 100.65.0.2 fd00:65::2 id 10.9.0.2'])
  t.deepEqual(made.facts, [
    { name: 'a', index: 0, labels: {}, vteps: ['100.65.0.1', 'fd00:65::1'], routerID: '10.9.0.1' },
    { name: 'b', index: 1, labels: {}, vteps: ['100.65.0.2', 'fd00:65::2'], routerID: '10.9.0.2' },
  ])
})

test('the same world changes nothing, and gives back the very same ledger', (t) => {
  const first = allocate(none, world('a b'), 0)
  t.is(allocate(first.ledger, world('a b'), 5).ledger, first.ledger)
})

test('the numbers of a node that has gone rest, then they are free', (t) => {
  const first = allocate(none, world('a b'), 0)
  const second = allocate(first.ledger, world('b c'), 1000)
  t.deepEqual(shown(second), ['a 0 100.65.0.1 gone 1000', 'b 1 100.65.0.2', 'c 2 100.65.0.3'])
  t.is(second.nextAtMs, 1000 + HOUR)
  const late = allocate(second.ledger, world('b c d'), 999 + HOUR)
  t.is(late.ledger.get('d')?.index, 3)
  const rested = allocate(second.ledger, world('b c d'), 1000 + HOUR)
  t.deepEqual(shown(rested), ['b 1 100.65.0.2', 'c 2 100.65.0.3', 'd 0 100.65.0.1'])
  t.is(rested.nextAtMs, undefined)
})

test('a node that comes back while its numbers rest gets its own', (t) => {
  const first = allocate(none, world('a b'), 0)
  const away = allocate(first.ledger, world('b'), 1000)
  const back = allocate(away.ledger, world('a b'), HOUR)
  t.deepEqual(shown(back), shown(first))
})

test('numbers do not become free while a RouterNode has them', (t) => {
  const routerNodes = [{ name: 'a', index: 0 }]
  const away = allocate(allocate(none, world('a'), 0).ledger, { ...world(''), routerNodes }, 1000)
  const later = allocate(away.ledger, { ...world('b'), routerNodes }, 9 * HOUR)
  t.deepEqual(shown(later), ['a 0 100.65.0.1 gone 1000', 'b 1 100.65.0.2'])
  t.is(later.nextAtMs, undefined)
  t.deepEqual(shown(allocate(later.ledger, world('b'), 9 * HOUR)), ['b 1 100.65.0.2'])
})

test('a clock that was set back shortens no rest', (t) => {
  const away = allocate(allocate(none, world('a'), 0).ledger, world(''), 9 * HOUR)
  const earlier = allocate(away.ledger, world(''), HOUR)
  t.is(earlier.ledger.get('a')?.goneSince, HOUR)
  t.is(allocate(earlier.ledger, world(''), 2 * HOUR).ledger.size, 0)
})

test('RouterNodes count for nodes that the ledger does not know', (t) => {
  const routerNodes = [
    { name: 'a', index: 7, addresses: { vteps: ['100.65.0.99'], routerID: '100.65.0.99' } },
    { name: 'b', index: 1 },
    { name: 'c', index: 1 },
    { name: 'gone', index: 0 },
  ]
  const made = allocate(none, { ...world('a b c d'), routerNodes }, 0)
  t.deepEqual(shown(made), ['a 7 100.65.0.99', 'b 1 100.65.0.2', 'c 2 100.65.0.3', 'd 3 100.65.0.4', 'gone 0 gone 0'])
  t.is(made.ledger.get('gone')?.goneSince, 0)
})

test('what the ledger says goes before the RouterNode', (t) => {
  const first = allocate(none, world('a'), 0)
  const made = allocate(first.ledger, { ...world('a'), routerNodes: [{ name: 'a', index: 5 }] }, 0)
  t.is(made.ledger, first.ledger)
})

test('a pool that is extended in place moves nobody', (t) => {
  const first = allocate(none, world('a b', { cidrs: ['10.0.1.0/24'] }), 0)
  const wider = allocate(first.ledger, world('a b c', { cidrs: ['10.0.0.0/16'] }), 0)
  t.deepEqual(shown(wider), ['a 0 10.0.1.1', 'b 1 10.0.1.2', 'c 2 10.0.0.3'])
})

test('a pool that moved away from under a node leaves it what it uses; only new nodes get of the new one', (t) => {
  const first = allocate(none, world('a', { cidrs: ['10.0.1.0/24'], ids: '10.9.0.0/24' }), 0)
  const moved = allocate(first.ledger, world('a b', { cidrs: ['10.0.2.0/24'], ids: '10.8.0.0/24' }), 0)
  t.deepEqual(shown(moved), ['a 0 10.0.1.1 id 10.9.0.1', 'b 1 10.0.2.2 id 10.8.0.2'])
})

test('an address that another node has is not given twice, even when the index would say so', (t) => {
  const nodes = Array.from({ length: 256 }, (_, i) => `n${String(i).padStart(3, '0')}`).join(' ')
  const first = allocate(none, world('a', { cidrs: ['10.0.1.0/24'] }), 0)
  const wide = allocate(first.ledger, world(`a ${nodes}`, { cidrs: ['10.0.0.0/16'] }), 0)
  t.is(wide.ledger.get('n255')?.index, 256)
  t.is(wide.ledger.get('n255')?.vteps[0], '10.0.0.1')
})

test('a pool that a node is given later adds an address and moves none', (t) => {
  const first = allocate(none, world('a', { cidrs: ['10.0.1.0/24'] }), 0)
  const dual = allocate(first.ledger, world('a', { cidrs: ['fd00::/64', '10.0.1.0/24'] }), 0)
  t.deepEqual(shown(dual), ['a 0 fd00::1 10.0.1.1 id 10.0.1.1'])
  const ids = allocate(dual.ledger, world('a', { cidrs: ['fd00::/64', '10.0.1.0/24'], ids: '10.9.0.0/24' }), 0)
  t.deepEqual(shown(ids), ['a 0 fd00::1 10.0.1.1 id 10.9.0.1'])
})

test('the nodes that fit into a pool get theirs, each other one is named with the pool', (t) => {
  const made = allocate(none, world('a b c d e', { cidrs: ['100.65.0.0/30'], ids: '10.9.0.0/24' }), 0)
  t.deepEqual(
    [...made.ledger.values()].map(({ vteps }) => vteps[0]),
    ['100.65.0.1', '100.65.0.2', '100.65.0.3', undefined, undefined],
  )
  const underlay = { kind: 'Underlay', name: 'fabric' }
  const named = { underlay, field: 'spec.vtep.cidrs', pool: '100.65.0.0/30' }
  t.deepEqual(made.exhausted, [
    { node: 'd', ...named },
    { node: 'e', ...named },
  ] as typeof made.exhausted)
  const larger = allocate(made.ledger, world('a b c d e', { cidrs: ['100.65.0.0/29'], ids: '10.9.0.0/24' }), 0)
  t.deepEqual(larger.exhausted, [])
  t.is(larger.ledger.get('e')?.vteps[0], '100.65.0.5')
})

test('a node without an address of its own is planned none, not the one that its index would say', (t) => {
  const full = allocate(none, world('a b', { cidrs: ['10.0.0.4/31'] }), 0)
  const wider = { cidrs: ['10.0.0.4/31'], ids: '10.9.0.0/24' }
  t.deepEqual(full.facts[1]?.exhausted, ['10.0.0.4/31'])
  const rested = allocate(full.ledger, world('b', wider), HOUR)
  const { facts } = allocate(rested.ledger, { ...world('b', wider), routerNodes: [{ name: 'a', index: 0 }] }, 9 * HOUR)
  t.deepEqual(facts[0]?.exhausted, ['10.0.0.4/31'])
  const { vteps, refused } = poolNumbers(fabric(wider), { ...facts[0], name: 'b', index: 0, labels: {} })
  t.deepEqual([vteps, refused.map(({ reason }) => reason)], [[], ['PoolExhausted']])
})

test('half a pair of VTEP addresses is not given', (t) => {
  const made = allocate(none, world('a b', { cidrs: ['100.65.0.0/24', 'fd00::/127'] }), 0)
  t.deepEqual(shown(made), ['a 0 100.65.0.1 fd00::1', 'b 1'])
  t.is(
    allocate(made.ledger, world('a b', { cidrs: ['100.65.0.0/24', 'fd00::/64'] }), 0).ledger.get('b')?.vteps.length,
    2,
  )
})

test('two Underlays with small pools each serve as many nodes as they have addresses', (t) => {
  const pools = { red: { cidrs: ['10.1.0.0/30'] }, blue: { cidrs: ['10.2.0.0/30'] } }
  const made = allocate(none, world('a=red b=red c=red d=blue e=blue f=blue', pools), 0)
  t.deepEqual(made.exhausted, [])
  t.deepEqual(made.ledger.get('f')?.vteps, ['10.2.0.3'])
})

test('without an Underlay a node has a number and no address; its former ones stay its own', (t) => {
  const pools = { red: { cidrs: ['10.1.0.0/24'] }, blue: { cidrs: ['10.2.0.0/24'] } }
  const first = allocate(none, world('a=red b=none', pools), 0)
  t.deepEqual(shown(first), ['a 0 10.1.0.1', 'b 1'])
  const away = allocate(first.ledger, world('a=none b=none', pools), 0)
  t.deepEqual(shown(away), ['a 0 10.1.0.1 idle', 'b 1'])
  t.deepEqual(away.facts[0], { name: 'a', index: 0, labels: { underlay: 'none' } })
  t.deepEqual(shown(allocate(away.ledger, world('a=red b=none', pools), 0)), shown(first))
  t.deepEqual(shown(allocate(away.ledger, world('a=blue b=none', pools), 0)), ['a 0 10.2.0.1', 'b 1'])
  t.deepEqual(shown(allocate(first.ledger, world('a=blue b=none', pools), 0)), ['a 0 10.1.0.1', 'b 1'])
})

test('a ledger is text and back', (t) => {
  const pools = { red: { cidrs: ['10.1.0.0/24', 'fd00::/64'], ids: '10.9.0.0/24' }, blue: { cidrs: ['10.2.0.0/24'] } }
  const first = allocate(none, world('a=red b=blue c=none d=red', pools), 0)
  const { ledger } = allocate(first.ledger, world('a=none b=blue c=none', pools), 1000)
  t.deepEqual(decodeLedger('x', encodeLedger(ledger)), ledger)
})

for (const [name, text, complaint] of [
  ['no JSON', '{', /x is not JSON/],
  ['another version', '{"version":2,"nodes":{}}', /version/],
  ['an unknown field', '{"version":1,"nodes":{"a":{"index":0,"indx":1}}}', /nodes.a/],
  ['no address', '{"version":1,"nodes":{"a":{"index":0,"vteps":["x"]}}}', /nodes.a.vteps.0/],
  ['one index twice', '{"version":1,"nodes":{"a":{"index":0},"b":{"index":0}}}', /a and b both have index 0/],
  [
    'one VTEP twice',
    '{"version":1,"nodes":{"a":{"index":0,"vteps":["1.1.1.1"]},"b":{"index":1,"vteps":["1.1.1.1"]}}}',
    /both have 1.1.1.1/,
  ],
] as const)
  test(`a ledger with ${name} is refused with its place`, (t) => {
    t.regex(t.throws(() => decodeLedger('x', text), { instanceOf: LedgerError }).message, complaint)
  })

test('the ledger of 5,000 nodes with long names and two VTEPs each fits into a ConfigMap', (t) => {
  const entries = Array.from({ length: 5000 }, (_, index) => ({
    node: `worker-${index}.rack-${index % 40}.datacenter-1.example.com`,
    index,
    vteps: [`100.65.${index >> 8}.${index & 255}`, `fd00:65:1:2::${index.toString(16)}`],
    routerID: `10.255.${index >> 8}.${index & 255}`,
    goneSince: 1_700_000_000_000 + index,
  }))
  t.true(encodeLedger(ledgerOf(entries)).length < 1024 * 1024)
})

const pool = fc.constantFrom('10.0.0.0/24', '10.0.0.0/29', '10.0.0.4/30', '10.0.0.0/30', 'fd00::/125', 'fd00::4/126')
const poolsOf = fc
  .record({
    v4: fc.option(pool.filter((each) => !each.includes(':'))),
    v6: fc.option(pool.filter((each) => each.includes(':'))),
    ids: fc.option(pool.filter((each) => !each.includes(':'))),
  })
  .map(({ v4, v6, ids }): Pools => ({
    cidrs:
      [v4, v6].filter((each) => each !== null).length > 0 ? [v4, v6].filter((each) => each !== null) : ['10.0.0.0/29'],
    ...(ids === null ? (v4 === null ? { ids: '10.0.0.0/24' } : {}) : { ids }),
  }))
const step = fc.record({
  nodes: fc.subarray(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']),
  labels: fc.array(fc.constantFrom('red', 'blue', 'none'), { minLength: 9, maxLength: 9 }),
  red: poolsOf,
  blue: poolsOf,
  afterMs: fc.constantFrom(0, HOUR / 2, HOUR, 2 * HOUR),
  written: fc.uniqueArray(
    fc.record({
      name: fc.constantFrom('a', 'b', 'z'),
      index: fc.nat(3),
      vtep: fc.constantFrom('10.0.0.1', '10.0.0.5'),
    }),
    { selector: ({ name }) => name },
  ),
})

test('whatever happens, no two nodes share a number, and a number in use stays', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let ledger = none
      let now = 0
      for (const { nodes, labels, red, blue, afterMs, written } of steps) {
        now += afterMs
        const before = ledger
        const seen = world(nodes.map((name, i) => `${name}=${labels[i]}`).join(' '), { red, blue })
        const routerNodes = written.map(({ name, index, vtep }) => ({ name, index, addresses: { vteps: [vtep] } }))
        const made = allocate(before, { ...seen, routerNodes }, now)
        ledger = made.ledger
        t.deepEqual(decodeLedger('round trip', encodeLedger(ledger)), ledger)
        for (const node of nodes) {
          const [was, is] = [before.get(node), ledger.get(node)]
          t.truthy(is)
          if (!was || !is) continue
          t.is(is.index, was.index)
          if (was.idle) continue
          t.true(was.vteps.every((each) => is.vteps.includes(each)))
          if (was.routerID !== undefined && !is.vteps.includes(was.routerID)) t.is(is.routerID, was.routerID)
        }
        for (const was of before.values()) {
          const resting = was.goneSince !== undefined && now - was.goneSince < HOUR
          if (!nodes.includes(was.node) && (was.goneSince === undefined || resting))
            t.is(ledger.get(was.node)?.index, was.index)
        }
        for (const facts of made.facts) {
          const underlay = seen.underlayOf(facts.labels, facts.name)
          if (!underlay) continue
          const planned = poolNumbers(underlay, facts)
          t.deepEqual([...planned.vteps].sort(), [...(ledger.get(facts.name)?.vteps ?? [])].sort())
          t.is(planned.routerID, ledger.get(facts.name)?.routerID)
        }
        if (made.exhausted.length === 0) t.is(allocate(ledger, { ...seen, routerNodes }, now).ledger, ledger)
      }
    }),
    { numRuns: 300 },
  )
})

test('a RouterNode that says nonsense spoils neither the ledger nor other nodes', (t) => {
  const nonsense = { vteps: ['::::', '100.65.0.9'], routerID: 'x' }
  const routerNodes = [
    { name: 'a', index: 3, addresses: nonsense },
    { name: 'b', index: NaN },
    { name: 'c', index: -1 },
    { name: 'd', index: 2 ** 24 },
  ]
  const allocation = allocate(none, { ...world('a b e'), routerNodes }, 0)
  t.deepEqual(shown(allocation), ['a 3 100.65.0.9', 'b 0 100.65.0.1', 'e 1 100.65.0.2'])
  t.deepEqual(decodeLedger('it', encodeLedger(allocation.ledger)), allocation.ledger)
})
