import test from 'ava'
import * as fc from 'fast-check'
import { Comparison } from './comparison.ts'
import { desired } from './desired.ts'
import { diff } from './diff.ts'
import { facts, plans, shapes } from './golden/arbitrary.ts'
import { plan, vrf, web } from './golden/sample.ts'
import { SimulatedKernel } from './golden/simulated.ts'
import type { KernelObject } from './objects.ts'
import { keyOf } from './objects.ts'
import type { Operation } from './operation.ts'

const shown = (operations: readonly Operation[]): string[] =>
  operations.map(
    ({ stage, text, refused }) => `${stage}: ${text}${refused === undefined ? '' : ` (${refused.reason})`}`,
  )

/** What somebody does to what is there: deletes it, or changes something of it. */
function spoil(objects: readonly KernelObject[], seed: number): KernelObject[] {
  return objects.flatMap((object): KernelObject[] => {
    const dice = [...keyOf(object)].reduce((hash, char) => (hash * 31 + char.charCodeAt(0)) >>> 0, seed) % 40
    if (dice === 0) return []
    if (object.type === 'link' && dice === 1) return [{ ...object, up: !object.up }]
    if (object.type === 'link' && dice === 2) {
      const { master: _, ...free } = object
      return [free]
    }
    if (object.type === 'vlan' && dice < 8) return [{ ...object, tunnel: false }]
    return [object]
  })
}

test('what may differ is compared alone, and comes to the same as everything', (t) => {
  const step = fc.record({ to: plans, shape: shapes, seed: fc.nat(), share: fc.integer({ min: 0, max: 4 }) })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), (steps) => {
      const comparison = new Comparison()
      let kernel = new SimulatedKernel([])
      for (const { to, shape, seed, share } of steps) {
        if (seed % 3 > 0) kernel = new SimulatedKernel(spoil(kernel.objects, seed))
        const want = desired(to, facts(shape, kernel.objects))
        comparison.wantAll(want)
        comparison.haveAll(kernel.observed)
        const operations = comparison.operations()
        t.deepEqual(shown(operations).toSorted(), shown(diff(want, kernel.observed)).toSorted())
        // Some of it is done, or all.
        const some = operations.slice(0, share === 4 ? undefined : (operations.length * share) / 4)
        for (const operation of some) {
          try {
            kernel.do(operation)
          } catch {
            break
          }
        }
      }
    }),
    { numRuns: 400 },
  )
})

test('one more VNI among hundreds looks at what is its own', (t) => {
  const vrfs = Array.from({ length: 50 }, (_, at) =>
    vrf(`v${at}`, 1000 + at, 20000 + at, ['10.1.0.1/24'], ['10.1.0.2/24']),
  )
  const segments = Array.from({ length: 300 }, (_, at) => ({
    ...web,
    for: { kind: 'L2VNI', name: `s${at}` } as const,
    vni: 5000 + at,
    vrf: `v${at % 50}`,
    hostMaster: { type: 'LinuxBridge', name: `br-hs-${at}`, autoCreate: true } as const,
  }))
  const some = desired(plan({ vrfs, segments: segments.slice(1) }), facts('single'))
  const kernel = new SimulatedKernel(some)
  const comparison = new Comparison()
  comparison.wantAll(some)
  comparison.haveAll(kernel.observed)
  t.deepEqual(comparison.operations(true), [])
  t.deepEqual(comparison.operations(), [])
  t.is(comparison.looked, 0)
  const all = desired(plan({ vrfs, segments }), facts('single', kernel.objects))
  comparison.wantAll(all)
  const operations = comparison.operations()
  t.true(operations.length > 5)
  t.true(comparison.looked < 100, `${comparison.looked}`)
  for (const operation of operations) kernel.do(operation)
  comparison.haveAll(kernel.observed)
  t.deepEqual(comparison.operations(), [])
  t.deepEqual(diff(all, kernel.observed), [])
})
