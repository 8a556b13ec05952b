import test from 'ava'
import * as fc from 'fast-check'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import { Comparison } from './comparison.ts'
import { desired } from './desired.ts'
import { FACTS, plans, shapes } from './golden/arbitrary.ts'
import { plan, red, web } from './golden/sample.ts'
import { keyOf, type KernelObject } from './objects.ts'
import { Wishes } from './wishes.ts'

const byKey = (objects: Iterable<KernelObject>): Record<string, KernelObject> =>
  Object.fromEntries(
    [...objects].map((object) => [keyOf(object), object] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )

/** Some pieces of the one, the rest of the other, as objects that stay the same. */
function mixed(one: NodePlan, other: NodePlan, dice: number): NodePlan {
  const vrfs = new Map([...one.vrfs, ...other.vrfs].map((each) => [each.name, each]))
  const some = [...one.segments, ...other.segments].filter((_, at) => ((dice >> at) & 1) === 0)
  const segments = new Map(some.map((each) => [each.vni, each]))
  const list = [...segments.values()].toSorted((a, b) => a.vni - b.vni)
  return { ...other, vrfs: [...vrfs.values()], segments: list }
}

test('what is wanted of a plan that changed piece by piece is what is wanted of it as a whole', (t) => {
  const step = fc.record({ other: plans, dice: fc.nat(255), shape: shapes, whole: fc.boolean() })
  fc.assert(
    fc.property(plans, fc.array(step, { minLength: 1, maxLength: 6 }), (first, steps) => {
      const comparison = new Comparison()
      const wishes = new Wishes(comparison)
      let now = first
      for (const { other, dice, shape, whole } of steps) {
        now = other.router === undefined ? other : mixed(now, other, dice)
        const known = new Map(wishes.places)
        wishes.take(now, FACTS.nics, shape, whole ? known : undefined)
        const datapath = shape === 'single' ? { shape, places: known } : { shape }
        t.deepEqual(byKey(comparison.wants), byKey(desired(now, { nics: FACTS.nics, datapath })))
      }
    }),
    { numRuns: 300 },
  )
})

test('what is wanted alike is the same object, and leaves nothing to compare', (t) => {
  const comparison = new Comparison()
  const wishes = new Wishes(comparison)
  const one = { ...web, vni: 111, hostMaster: { ...web.hostMaster!, name: 'br-one' } }
  wishes.take(plan({ vrfs: [red], segments: [web, one] }), FACTS.nics, 'single')
  const before = comparison.want('link router pe-110')
  comparison.haveAll({ objects: [...comparison.wants], foreign: [], moving: [] })
  t.deepEqual(comparison.operations(), [])
  wishes.take(plan({ vrfs: [red], segments: [web, { ...one }] }), FACTS.nics, 'single')
  t.is(comparison.want('link router pe-110'), before)
  t.deepEqual(comparison.operations(), [])
  t.is(comparison.looked, 0)
})

test('one more segment among many is laid out alone', (t) => {
  let reads = 0
  const segments = Array.from({ length: 300 }, (_, at) => {
    const segment = { ...web, vni: 1000 + at, for: { ...web.for, name: `web-${at}` } }
    return new Proxy(segment, { get: (of, field) => (reads++, of[field as keyof typeof of]) })
  })
  const wishes = new Wishes(new Comparison())
  wishes.take(plan({ vrfs: [red], segments: segments.slice(1) }), FACTS.nics, 'single')
  t.true(reads > 300)
  reads = 0
  wishes.take(plan({ vrfs: [red], segments }), FACTS.nics, 'single')
  t.true(reads > 0 && reads < 30, `${reads} looks`)
})
