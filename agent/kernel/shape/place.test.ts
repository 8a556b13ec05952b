import test from 'ava'
import * as fc from 'fast-check'
import type { Place } from '../objects.ts'
import { classOf, knownPlaces, place, SHARD_VNIS, type Placed, type ShardClass } from './place.ts'
import { single } from './single.ts'

const classes = fc.constantFrom<ShardClass>('l2', 'l3', 'l2-flooding')
const vnis = fc.uniqueArray(fc.record({ vni: fc.integer({ min: 1, max: 600 }), class: classes }), {
  selector: ({ vni }) => vni,
  maxLength: 400,
  size: 'max',
})
const NOTHING = new Map<number, Place>()
const spot = ({ shard, vid }: Place): string => `${shard}/${vid}`
const numbered = (from: number, count: number, shardClass: ShardClass = 'l2'): Placed[] =>
  Array.from({ length: count }, (_, at) => ({ vni: from + at, class: shardClass }))

test('every VNI has a VLAN of its own in a shard of its class, and no shard has too many', (t) => {
  fc.assert(
    fc.property(vnis, (wanted) => {
      const places = place(wanted, NOTHING)
      t.is(places.size, wanted.length)
      t.is(new Set([...places.values()].map(spot)).size, wanted.length)
      for (const { vni, class: shardClass } of wanted) {
        const { shard, vid } = places.get(vni)!
        t.is(classOf(shard), shardClass)
        t.true(vid >= 2 && vid <= 4094)
      }
      const members = Map.groupBy(places.values(), ({ shard }) => shard)
      for (const [, some] of members) t.true(some.length <= SHARD_VNIS)
    }),
    { numRuns: 50 },
  )
})

test('what is placed stays, whatever comes, goes or changes its class beside it', (t) => {
  fc.assert(
    fc.property(vnis, vnis, (first, second) => {
      const known = place(first, NOTHING)
      const before = new Map(first.map((each) => [each.vni, each.class]))
      const after = place(second, known)
      for (const { vni, class: shardClass } of second) {
        if (before.get(vni) === shardClass) t.deepEqual(after.get(vni), known.get(vni))
        else if (known.has(vni)) t.notDeepEqual(after.get(vni), known.get(vni))
      }
      // A VLAN that somebody has is nobody else's, until he is gone.
      const taken = new Map([...known].map(([vni, at]) => [spot(at), vni]))
      for (const [vni, at] of after) t.true((taken.get(spot(at)) ?? vni) === vni)
      for (const [vni, at] of place(second, after)) t.deepEqual(at, after.get(vni))
    }),
    { numRuns: 50 },
  )
})

test('a cold start gives ranges', (t) => {
  const places = place([...numbered(5000, 200).toReversed(), ...numbered(1, 3, 'l3')], NOTHING)
  t.deepEqual(places.get(5000), { shard: 0, vid: 2 })
  t.deepEqual(places.get(5000 + SHARD_VNIS - 1), { shard: 0, vid: SHARD_VNIS + 1 })
  t.deepEqual(places.get(5000 + SHARD_VNIS), { shard: 3, vid: 2 })
  t.deepEqual(
    [1, 2, 3].map((vni) => places.get(vni)),
    [2, 3, 4].map((vid) => ({ shard: 1, vid })),
  )
})

test('more VNIs than a bridge has VLANs take more shards', (t) => {
  const places = place(numbered(1, 5000), NOTHING)
  t.is(new Set([...places.values()].map(({ shard }) => shard)).size, Math.ceil(5000 / SHARD_VNIS))
})

test('those on their way out count: a plan that replaces all VNIs does not fill their shards', (t) => {
  const known = place(numbered(1, SHARD_VNIS), NOTHING)
  const after = place(numbered(1000, SHARD_VNIS), known)
  t.deepEqual(new Set([...after.values()].map(({ shard }) => shard)), new Set([3]))
  t.deepEqual(place(numbered(2000, 1), after).get(2000), { shard: 0, vid: 2 })
})

test('a place that cannot be is not kept', (t) => {
  const known = new Map([
    [1, { shard: 0, vid: 1 }],
    [2, { shard: 0, vid: 4095 }],
    [3, { shard: 1, vid: 2 }],
  ])
  t.deepEqual([...place(numbered(1, 3), known).values()].map(spot), ['0/2', '0/3', '0/4'])
})

/** What carries a VNI, and a veth as its port. */
function carriers(vni: number, at: Place) {
  const needs = { for: { kind: 'L2VNI', name: 'x' }, vni, l3: false, local: '', mtu: 1500, suppressARP: true } as const
  const { objects, port } = single({ ...needs, vrf: 'red' }, at, '02:00:00:00:00:01')
  const veth = { type: 'link', kind: 'veth', namespace: 'router', name: `pe-${vni}`, up: true, for: needs.for } as const
  return [...objects, { ...veth, ...port, peer: { namespace: 'host', name: `host-${vni}` } } as const]
}

test('a tunnel, an SVI or a veth alone remembers the place', (t) => {
  const at = { shard: 4, vid: 17 }
  for (const object of carriers(100, at)) t.deepEqual([...knownPlaces([object])], [[100, at]], object.type)
})

test('of contradicting traces tunnels go before SVIs, these before veths, and memory comes last', (t) => {
  const traces = (vni: number, vids: readonly number[]) =>
    vids.map((vid, which) => carriers(vni, { shard: 0, vid })[which]!)
  const [tunnel, svi, veth] = traces(100, [2, 3, 4])
  const last = new Map([[100, { shard: 0, vid: 5 }]])
  t.is(knownPlaces([veth!, svi!, tunnel!], last).get(100)?.vid, 2)
  t.is(knownPlaces([veth!, svi!], last).get(100)?.vid, 3)
  t.is(knownPlaces([veth!], last).get(100)?.vid, 4)
  t.is(knownPlaces([], last).get(100)?.vid, 5)
  // Somebody put the veth of 200 into the VLAN of 100.
  const [, , strayed] = traces(200, [0, 0, 2])
  t.deepEqual([...knownPlaces([strayed!, tunnel!])], [[100, { shard: 0, vid: 2 }]])
})

test('what is not a shard of ours says nothing', (t) => {
  const [, , veth] = carriers(100, { shard: 0, vid: 2 })
  t.is(knownPlaces([{ ...veth!, master: 'br-user' } as never, { ...veth!, name: 'pe-pt' } as never]).size, 0)
})
