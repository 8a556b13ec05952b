import { create } from '@bufbuild/protobuf'
import test from 'ava'
import * as fc from 'fast-check'
import type { NodePlan, SegmentPlan, VrfPlan } from '../../api/plan/node-plan.ts'
import { piecesOf } from '../../api/plan/pieces.ts'
import type { Piece } from '../../api/plan/plan-version.ts'
import { revisionOf, revisionOfPieces } from '../../api/plan/revision.ts'
import { PlanUpdateSchema, type PlanUpdate } from '../../api/wire/generated/distribution_pb.ts'
import { PlanUpdates, restoredPlan, storedPlan, type ControllerPlan, type Taken } from './plan-updates.ts'

const NODE = 'n1'

const segment = (vni: number, name = `s${vni}`): SegmentPlan => ({
  for: { kind: 'L2VNI', name },
  vni,
  gateways: [],
  gatewayMAC: '02:6e:6c:00:00:01',
  suppressARP: true,
  importTargets: [],
  exportTargets: [],
})
const vrf = (name: string, table = 10_000): VrfPlan => ({ for: { kind: 'L3VNI', name }, name, table })

function planWith(vrfs: readonly VrfPlan[], segments: readonly SegmentPlan[], node = NODE): NodePlan {
  return {
    node,
    router: {
      for: { kind: 'Underlay', name: 'fabric' },
      asn: 64514,
      routerID: '100.65.0.1',
      vteps: ['100.65.0.1'],
      vtepPools: ['100.65.0.0/24'],
      routerMAC: '02:6e:64:41:00:01',
      interfaces: ['eth1'],
      neighbors: [],
      maximumPaths: 64,
      multipathRelax: true,
    },
    vrfs,
    segments,
  }
}

/** What the controller sends to somebody who has `before`. */
function update(before: NodePlan | undefined, after: NodePlan): PlanUpdate {
  const old = new Map((before === undefined ? [] : piecesOf(before)).map(({ key, json }) => [key, json]))
  const now = piecesOf(after)
  const keys = new Set(now.map(({ key }) => key))
  return create(PlanUpdateSchema, {
    base: before === undefined ? '' : revisionOf(before),
    revision: revisionOf(after),
    set: now.filter(({ key, json }) => !Buffer.from(json).equals(Buffer.from(old.get(key) ?? []))).map(message),
    remove: [...old.keys()].filter((key) => !keys.has(key)),
  })
}

const message = ({ key, json }: Piece) => ({ key, json: new Uint8Array(json) })

function whole(taken: Taken): ControllerPlan {
  if (taken.type !== 'plan') throw new Error(JSON.stringify(taken))
  return taken.plan
}

const first = planWith([vrf('red')], [segment(110)])
const had = (): ControllerPlan => whole(new PlanUpdates(NODE).receive(update(undefined, first), undefined))

test('a whole plan is taken', (t) => {
  const taken = had()
  t.deepEqual(taken.plan, first)
  t.is(taken.revision, revisionOf(first))
})

test('a change is applied to what is there', (t) => {
  const next = planWith([vrf('blue')], [segment(110), segment(120)])
  t.deepEqual(whole(new PlanUpdates(NODE).receive(update(first, next), had())).plan, next)
})

test('what a change leaves alone stays the same object, also when all of it is sent again', (t) => {
  const before = had()
  const next = planWith([vrf('red')], [segment(110), segment(120)])
  const after = whole(new PlanUpdates(NODE).receive(update(first, next), before))
  t.is(after.plan.vrfs, before.plan.vrfs)
  t.is(after.plan.router, before.plan.router)
  t.is(after.plan.segments[0], before.plan.segments[0])
  const again = whole(new PlanUpdates(NODE).receive(update(undefined, next), after))
  t.is(again.plan.segments, after.plan.segments)
  t.is(again.plan.router, after.plan.router)
  const other = whole(new PlanUpdates(NODE).receive(update(next, planWith([vrf('red', 7)], [segment(120)])), again))
  t.not(other.plan.vrfs[0], again.plan.vrfs[0])
  t.is(other.plan.segments[0], again.plan.segments[1])
})

test('no password is in what is said of a piece that cannot be read', (t) => {
  for (const json of ['{"password":"hunter2"', '{"password":"hunter2"x}', '{"password":hunter2}', 'hunter2']) {
    const taken = new PlanUpdates(NODE).receive(pieces(['router', json]), undefined)
    t.is(taken.type, 'refused')
    t.notRegex(JSON.stringify(taken), /hunter|unter2/)
  }
})

test('an update in several messages counts when the last has come', (t) => {
  const all = update(undefined, first)
  const updates = new PlanUpdates(NODE)
  for (const [at, piece] of all.set.entries()) {
    const more = at < all.set.length - 1
    const part = create(PlanUpdateSchema, { revision: all.revision, set: [piece], more })
    const taken = updates.receive(part, undefined)
    t.is(taken.type, more ? 'more' : 'plan')
  }
})

test('what is refused is told, and kept until it is told anew', (t) => {
  const violation = {
    object: { kind: 'L3VNI', name: 'x' },
    reason: 'VNIConflict',
    field: 'spec.vni',
    message: 'm',
    remedy: 'r',
  }
  const all = update(undefined, first)
  all.refused = Buffer.from(JSON.stringify([violation]))
  all.refusedDigest = 'digest'
  const taken = whole(new PlanUpdates(NODE).receive(all, undefined))
  t.is(taken.refused[0]?.object.name, 'x')
  t.is(taken.refusedDigest, 'digest')
  t.like(whole(new PlanUpdates(NODE).receive(update(first, first), taken)), { refusedDigest: 'digest' })
  const none = create(PlanUpdateSchema, { base: taken.revision, revision: taken.revision, refused: Buffer.from('[]') })
  t.like(whole(new PlanUpdates(NODE).receive(none, taken)), { refused: [], refusedDigest: '', plan: first })
})

const bad = (change: (all: PlanUpdate) => void): PlanUpdate => {
  const all = update(undefined, first)
  change(all)
  return all
}
const pieces = (...set: readonly (readonly [string, unknown])[]) => {
  const made = set.map(([key, value]) => ({
    key,
    json: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  }))
  return create(PlanUpdateSchema, { revision: revisionOfPieces(NODE, made), set: made.map(message) })
}
const router = first.router
for (const [what, message_, said] of [
  ['for another base', update(planWith([], []), first), /is for plan .* this node has none/],
  ['with another revision', bad((all) => (all.revision = '0')), /not 0/],
  ['with a piece missing', bad((all) => all.set.pop()), /not [0-9a-f]{16}/],
  ['for another node', update(undefined, planWith([vrf('red')], [], 'n2')), /of node n1, not/],
  ['that is not JSON', pieces(['router', '{']), /"router" is not JSON/],
  ['that is no object', pieces(['router', '[]']), /"router" is not a JSON object/],
  [
    'with an unknown piece',
    pieces(['router', router], ['firewall', {}]),
    /"firewall", which this version does not know/,
  ],
  ['with a piece under the name of another', pieces(['router', router], ['vrf/red', vrf('blue')]), /"vrf\/red" holds/],
  [
    'with a field missing',
    pieces(['router', { ...router, neighbors: undefined }]),
    /"router" makes no sense: neighbors/,
  ],
  [
    'with a field of another type',
    pieces(['router', router], ['segment/7', { ...segment(7), gateways: 'x' }]),
    /gateways/,
  ],
  ['with networks and no router', pieces(['vrf/red', vrf('red')]), /no router/],
  ['whose refused objects are no list', bad((all) => (all.refused = Buffer.from('{}'))), /no list/],
] as const) {
  test(`an update ${what} is refused with a reason`, (t) => {
    const taken = new PlanUpdates(NODE).receive(message_, undefined)
    t.is(taken.type, 'refused')
    t.regex(taken.type === 'refused' ? taken.error : '', said)
  })
}

test('an update that begins in the middle of another refuses both; the next one counts', (t) => {
  const updates = new PlanUpdates(NODE)
  t.is(updates.receive(create(PlanUpdateSchema, { revision: 'a', more: true }), undefined).type, 'more')
  t.is(updates.receive(update(undefined, first), undefined).type, 'refused')
  t.is(updates.receive(update(undefined, first), undefined).type, 'plan')
})

test('fields of a newer controller are kept and do no harm', (t) => {
  const taken = new PlanUpdates(NODE).receive(pieces(['router', { ...router, color: 'green' }]), undefined)
  t.is(taken.type, 'plan')
})

test('a stored plan is restored for its node alone, and a damaged one not at all', (t) => {
  const stored = storedPlan(had())
  const restored = restoredPlan(NODE, stored)
  t.deepEqual(restored && storedPlan(restored), stored)
  t.deepEqual(restored?.plan, first)
  t.is(restoredPlan('n2', stored), undefined)
  t.is(restoredPlan(NODE, { ...stored, pieces: { ...stored.pieces, router: '{' } }), undefined)
})

const anyPlan = fc
  .record({
    vrfs: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd')),
    vnis: fc.uniqueArray(fc.integer({ min: 1, max: 6 })),
    name: fc.constantFrom('x', 'y'),
  })
  .map(({ vrfs, vnis, name }) =>
    planWith(
      vrfs.toSorted().map((each) => vrf(each)),
      vnis.toSorted((a, b) => a - b).map((vni) => segment(vni, name)),
    ),
  )

test('any sequence of updates, whole or changes, in any parts, with bad ones among them, gives the last plan', (t) => {
  const step = fc.record({
    plan: anyPlan,
    whole: fc.boolean(),
    parts: fc.integer({ min: 1, max: 4 }),
    spoiled: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const updates = new PlanUpdates(NODE)
      let have: ControllerPlan | undefined
      let last: NodePlan | undefined
      for (const each of steps) {
        const all = update(each.whole ? undefined : last, each.plan)
        if (each.spoiled) all.revision = 'spoiled'
        const size = Math.ceil(all.set.length / each.parts) || 1
        const starts = all.set.length === 0 ? [0] : all.set.flatMap((_, at) => (at % size === 0 ? [at] : []))
        for (const at of starts) {
          const more = at !== starts.at(-1)
          const part = create(PlanUpdateSchema, {
            base: all.base,
            revision: all.revision,
            more,
            set: all.set.slice(at, at + size),
          })
          if (!more) part.remove = all.remove
          const taken = updates.receive(part, have)
          if (more) t.is(taken.type, 'more')
          else t.is(taken.type, each.spoiled ? 'refused' : 'plan')
          if (taken.type === 'plan') have = taken.plan
        }
        if (!each.spoiled) last = each.plan
        t.deepEqual(have?.plan, last)
        if (last !== undefined) t.is(have?.revision, revisionOf(last))
      }
    }),
  )
})
