import test from 'ava'
import * as fc from 'fast-check'
import { Comparison } from './comparison.ts'
import { desired } from './desired.ts'
import { facts, plans, shapes } from './golden/arbitrary.ts'
import { changesOf, tablesOf, type Numbers } from './golden/tables.ts'
import { keyOf, type KernelObject } from './objects.ts'
import { Observation } from './observation.ts'
import { observe } from './observe.ts'

const NO_NICS = new Map()
const byKey = (objects: Iterable<KernelObject>): [string, KernelObject][] =>
  [...objects]
    .map((object) => [keyOf(object), object] as [string, KernelObject])
    .toSorted(([a], [b]) => (a < b ? -1 : 1))

/** An SVI goes with its bridge. */
function possible(objects: readonly KernelObject[]): readonly KernelObject[] {
  const links = new Set(objects.map((object) => (object.type === 'link' ? object.name : '')))
  return objects.filter((object) => object.type !== 'link' || object.kind !== 'vlan' || links.has(object.parent))
}

test('what changed, looked at alone, comes to what there is', (t) => {
  const step = fc.record({ to: plans, shape: shapes, drop: fc.nat(6) })
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 5 }), (steps) => {
      const comparison = new Comparison()
      const observation = new Observation(comparison)
      const numbers: Numbers = new Map()
      let before = tablesOf([], numbers)
      t.true(observation.take(before, 'everything', NO_NICS))
      for (const { to, shape, drop } of steps) {
        const objects = possible(desired(to, facts(shape)).filter((_, at) => drop < 3 || at % 7 !== drop))
        const now = tablesOf(objects, numbers)
        t.false(observation.take(now, changesOf(before, now), NO_NICS))
        const seen = observe(now, NO_NICS)
        t.deepEqual(byKey(comparison.haves), byKey(seen.objects))
        before = now
      }
    }),
    { numRuns: 200 },
  )
})

test('what is observed of what is wanted is what is wanted', (t) => {
  fc.assert(
    fc.property(plans, shapes, (one, shape) => {
      const want = desired(one, facts(shape)).filter(
        (object) =>
          !['sysctl', 'rule'].includes(object.type) &&
          !(object.type === 'link' && ['nic', 'loopback'].includes(object.kind)) &&
          !(object.type !== 'link' && 'link' in object && object.link.startsWith('eth')) &&
          !(object.type === 'route' && object.target.type === 'via'),
      )
      const comparison = new Comparison()
      comparison.wantAll(want)
      comparison.haveAll(observe(tablesOf(want, new Map()), NO_NICS))
      t.deepEqual(
        comparison.operations().map(({ text }) => text),
        [],
      )
    }),
  )
})

test('a link of others has its name told, until it goes', (t) => {
  const comparison = new Comparison()
  const observation = new Observation(comparison)
  const want = desired(
    fc.sample(plans, { numRuns: 50, seed: 3 }).find(({ segments }) => segments.length > 0)!,
    facts('single'),
  )
  const veth = want.find((object) => object.type === 'link' && object.name.startsWith('pe-'))!
  const row = tablesOf([veth], new Map()).router.links.values().next().value!
  const free = tablesOf([], new Map())
  const links = new Map([[1, { ...row, alias: 'mine', group: 0 }]])
  const taken = { ...free, router: { ...free.router, links, index: () => 1 } }
  comparison.wantAll(want)
  observation.take(free, 'everything', NO_NICS)
  const changes = {
    links: { router: new Set([row.name]), host: new Set<string>() },
    routes: false,
    rules: false,
    sysctls: false,
  }
  const refused = (): boolean => comparison.operations().some((operation) => operation.refused?.reason === 'NameTaken')
  t.false(refused())
  observation.take(taken, changes, NO_NICS)
  t.true(refused())
  observation.take(free, changes, NO_NICS)
  t.false(refused())
})
