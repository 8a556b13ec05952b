import test from 'ava'
import * as fc from 'fast-check'
import { plan } from '../../api/plan/plan.ts'
import { nameOf } from '../../api/rules/violation.ts'
import { snapshotOf } from '../../api/snapshot/snapshot.ts'
import type { AdmissionWorld } from './admission-world.ts'
import { asked, l2vni, l3vni, on, passthrough, resource, session, underlay, world, type Raw } from './fixture.ts'
import { Reviewer } from './reviewer.ts'
import { review } from './review.ts'

/** The same world with these objects; what was there before is the same object. */
function later(before: AdmissionWorld, come: readonly Raw[], gone: readonly string[] = []): AdmissionWorld {
  const kept = before.snapshot.resources.filter((each) => !gone.includes(`${each.kind}/${each.metadata.name}`))
  return { ...before, snapshot: snapshotOf([...kept, ...come.map(resource)]) }
}

const nameOfResource = ({ kind, metadata }: { kind: string; metadata: { name: string } }) => `${kind}/${metadata.name}`

const ul = underlay('ul')

function reviewer(here: AdmissionWorld) {
  const clock = { ms: 0, here }
  const it = new Reviewer(() => clock.ms)
  return Object.assign(clock, {
    create: (object: Raw, fields = {}) => it.review(asked('CREATE', object, fields), clock.here).allowed,
    update: (old: Raw, now: Raw) => it.review(asked('UPDATE', now, { oldObject: old }), clock.here).allowed,
    remove: (object: Raw) => it.review(asked('DELETE', object), clock.here).allowed,
  })
}

test('what was let in a moment ago counts before the world has it', (t) => {
  const it = reviewer(world([ul]))
  t.true(it.create(l2vni('a', 1)))
  t.false(it.create(l2vni('b', 1)))
  it.here = later(it.here, [l2vni('a', 1)])
  t.false(it.create(l2vni('b', 1)))
})

test('what did not come after it was let in is forgotten, and a dry run is never remembered', (t) => {
  const it = reviewer(world([ul]))
  t.true(it.create(l2vni('a', 1), { dryRun: true }))
  t.true(it.create(l2vni('b', 1)))
  it.ms = 5001
  t.true(it.create(l2vni('c', 1)))
})

test('a number that was given up a moment ago is free, by update and by deletion', (t) => {
  const [a, b] = [l2vni('a', 1), l2vni('b', 2)]
  const it = reviewer(world([ul, a, b]))
  t.true(it.update(a, l2vni('a', 3)))
  t.true(it.create(l2vni('c', 1)))
  t.false(it.create(l2vni('d', 2)))
  t.true(it.remove(b))
  t.true(it.create(l2vni('d', 2)))
})

test('a deletion that did not come about is forgotten', (t) => {
  const a = l2vni('a', 1)
  const it = reviewer(world([ul, a]))
  t.true(it.remove(a))
  it.ms = 5001
  t.false(it.create(l2vni('b', 1)))
})

test('the world has the last word: what it changes meanwhile counts', (t) => {
  const a = l2vni('a', 1)
  const it = reviewer(world([ul, a]))
  t.true(it.update(a, l2vni('a', 2)))
  it.here = later(it.here, [l2vni('a', 7)], ['L2VNI/a'])
  t.true(it.create(l2vni('b', 1)))
  t.true(it.create(l2vni('c', 2)))
  t.false(it.create(l2vni('d', 7)))
})

const rack = fc.constantFrom({}, on('a'), on('b'), on('a', 'b'))
const vrf = fc.constantFrom('red', 'blue', 'eth1')
const network = fc.constantFrom('10.0.0.0/16', '10.0.1.0/24', '10.0.1.128/25', '10.7.0.0/24', '100.65.0.0/28')
const number = fc.integer({ min: 1, max: 6 })
const extras = fc.record({ selector: rack, rd: fc.constantFrom({}, {}, { routeDistinguisher: '1:1' }) })

const object: fc.Arbitrary<(name: string, created: number) => Raw> = fc.oneof(
  fc.tuple(extras, fc.constantFrom({}, { interfaces: [{ name: 'eth1' }] })).map(
    ([{ selector }, nics]) =>
      (name: string, created: number) =>
        underlay(name, { ...selector, ...nics }, created),
  ),
  fc.tuple(extras, number, vrf, fc.option(network)).map(
    ([{ selector, rd }, vni, name, cidr]) =>
      (id: string, created: number) =>
        l3vni(id, vni, name, { ...selector, ...rd, ...(cidr === null ? {} : session(cidr)) }, created),
  ),
  fc.tuple(extras, number, vrf, fc.option(network), fc.boolean()).map(
    ([{ selector, rd }, vni, name, cidr, bridged]) =>
      (id: string, created: number) =>
        l2vni(
          id,
          vni,
          {
            ...selector,
            ...rd,
            ...(cidr === null ? {} : { vrf: name, gatewayIPs: [cidr.replace('.0/', '.1/').replace('.128/', '.129/')] }),
            ...(bridged ? { hostMaster: { type: 'LinuxBridge', name: 'br0', autoCreate: true } } : {}),
          },
          created,
        ),
  ),
  fc.tuple(rack, network).map(
    ([selector, cidr]) =>
      (name: string, created: number) =>
        passthrough(name, cidr, selector, created),
  ),
)

/** On any node; what only waits for another object, or has too small a pool, is allowed. */
function refused(here: AdmissionWorld): readonly string[] {
  return here.nodes.flatMap(({ name, labels }, index) =>
    plan(here.snapshot, { name, labels, index })
      .refused.filter((each) => each.pending !== true && each.reason !== 'PoolExhausted')
      .map((each) => `${nameOf(each.object)} ${each.reason}`),
  )
}

test('creates that admission allows are never refused by the plan, whether or not the world has caught up', (t) => {
  let allowed = 0
  let denied = 0
  fc.assert(
    fc.property(fc.array(fc.tuple(object, fc.boolean()), { minLength: 2, maxLength: 12 }), (makers) => {
      const it = reviewer(world([]))
      let here = it.here
      for (const [at, [make, caughtUp]] of makers.entries()) {
        const made = make(`o${at}`, at)
        if (it.create(made)) {
          allowed++
          here = later(here, [made])
        } else denied++
        if (caughtUp) it.here = here
      }
      t.deepEqual(refused(here), [])
    }),
    { numRuns: 300 },
  )
  t.true(allowed > 300 && denied > 300, `${allowed} allowed, ${denied} denied`)
})

test('what is denied would have been refused by the plan, or another in its stead', (t) => {
  fc.assert(
    fc.property(fc.array(object, { minLength: 2, maxLength: 10 }), (makers) => {
      let here = world([])
      for (const [at, make] of makers.entries()) {
        const made = make(`o${at}`, at)
        const next = later(here, [made])
        if (review(asked('CREATE', made), here).allowed) here = next
        else t.not(refused(next).length, 0, JSON.stringify(made))
      }
    }),
    { numRuns: 200 },
  )
})

test('an edit that lets an Underlay stand is allowed, though it shows what an older object declared against it', (t) => {
  const [mine, stands] = [underlay('mine', { interfaces: [{ name: 'eth1' }] }, 2), underlay('mine', {}, 2)]
  const here = world([passthrough('p', '100.65.0.0/28', {}, 0), l2vni('taken', 1, { vrf: 'eth1' }, 1), mine])
  t.true(review(asked('UPDATE', stands, { oldObject: mine }), here).allowed)
})

test('edits that admission allows bring no refusal that was not there', (t) => {
  fc.assert(
    fc.property(fc.array(object, { minLength: 2, maxLength: 8 }), object, fc.nat(), (makers, edit, which) => {
      // Made without admission: some of them are in conflict.
      const made = makers.map((make, at) => make(`o${at}`, at))
      const here = world(made)
      const old = made[which % made.length]
      const now = old && edit(old.metadata.name, which % made.length)
      if (!old || now?.kind !== old.kind) return
      if (!review(asked('UPDATE', now, { oldObject: old }), here).allowed) return
      const next = later(here, [now], [`${old.kind}/${old.metadata.name}`])
      const others = (all: AdmissionWorld): ReadonlySet<string> =>
        new Set(
          all.nodes.flatMap(({ name, labels }, index) =>
            plan(all.snapshot, { name, labels, index })
              .refused.filter((each) => each.pending !== true && each.reason !== 'PoolExhausted')
              .filter((each) => [each.object, each.other].some((ref) => ref?.name === old.metadata.name))
              .map((each) =>
                [each.reason, ...[nameOf(each.object), each.other ? nameOf(each.other) : ''].sort()].join(),
              ),
          ),
        )
      // An edit that heals one thing may show another that two objects declared before it: alone, they had it already.
      const declared = new Set(
        made
          .filter((each) => each !== old)
          .flatMap((each) => [...others(later(here, [old, each], here.snapshot.resources.map(nameOfResource)))]),
      )
      t.deepEqual(
        [...others(next)].filter((each) => !others(here).has(each) && !declared.has(each)),
        [],
      )
    }),
    { numRuns: 500 },
  )
})
