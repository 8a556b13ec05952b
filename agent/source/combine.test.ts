import test from 'ava'
import * as fc from 'fast-check'
import { kindNamed, type AnyResource } from '../../api/kinds/kinds.ts'
import { checkResource } from '../../api/manifest/check.ts'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import { plan } from '../../api/plan/plan.ts'
import { revisionOf } from '../../api/plan/revision.ts'
import { snapshotOf, type Secret } from '../../api/snapshot/snapshot.ts'
import { combine, type Combined } from './combine.ts'

const session = (ipv4: string, more = {}) => ({ hostSession: { hostASN: 64515, localCIDR: { ipv4 }, ...more } })

function object(kind: string, name: string, spec: Record<string, unknown>): AnyResource {
  const declared = kindNamed(kind)
  if (!declared) throw new Error(kind)
  const checked = checkResource(declared, { apiVersion: 'nodeleaf.io/v1alpha1', kind, metadata: { name }, spec })
  if ('issues' in checked) throw new Error(JSON.stringify(checked.issues))
  return checked.object
}

const underlay = (name = 'fabric', more: Record<string, unknown> = {}) =>
  object('Underlay', name, {
    asn: 64514,
    interfaces: [{ name: 'eth1' }],
    vtep: { cidrs: ['100.65.0.0/24'] },
    neighbors: [{ address: '192.168.10.1', type: 'External' }],
    ...more,
  })
const l3 = (name: string, vni: number, vrf = name, more = {}) => object('L3VNI', name, { vni, vrf, ...more })
const l2 = (name: string, vni: number, more = {}) => object('L2VNI', name, { vni, ...more })

const facts = (index: number) => ({ name: 'n1', index, labels: { rack: 'a' } })
const declared = (objects: readonly (AnyResource | Secret)[], index = 0) => ({
  snapshot: snapshotOf(objects),
  node: facts(index),
})
const controller = (objects: readonly AnyResource[], index = 0) => plan(snapshotOf(objects), facts(index))
const both = (api: readonly AnyResource[], files: readonly (AnyResource | Secret)[], index = 0): Combined =>
  combine(controller(api), declared(files, index))
const names = (value: NodePlan): string[] => [
  ...(value.router ? [value.router.for.name] : []),
  ...value.vrfs.map(({ name }) => name),
  ...value.segments.map(({ vni }) => String(vni)),
  ...(value.passthrough ? [value.passthrough.for.name] : []),
]

test('without a controller the files are planned as ever', (t) => {
  const files = declared([underlay(), l3('red', 100)])
  const combined = combine(undefined, files)
  t.deepEqual(combined.plan, plan(files.snapshot, files.node).plan)
  t.deepEqual(combined.conflicts, [])
})

test('when both say the same, the plan is the same and nothing is a conflict', (t) => {
  const objects = [underlay(), l3('red', 100, 'red', session('192.169.10.0/24')), l2('web', 110, { vrf: 'red' })]
  const combined = both(objects, objects)
  t.is(revisionOf(combined.plan), revisionOf(controller(objects).plan))
  t.deepEqual([combined.conflicts, combined.refused, combined.fromFiles], [[], [], []])
})

test("a controller's plan without a router leaves the static one", (t) => {
  const combined = both([], [underlay(), l3('red', 100)])
  t.deepEqual(names(combined.plan), ['fabric', 'red'])
  t.deepEqual(combined.conflicts, [])
})

test('objects of both are on the node; those of the controller stay byte for byte', (t) => {
  const api = [underlay(), l3('red', 100), l2('web', 110, { vrf: 'red' })]
  const combined = both(
    api,
    [l3('blue', 200, 'blue', session('10.1.0.0/24')), l2('lan', 210), l2('dmz', 120, { vrf: 'red' })],
    6,
  )
  t.deepEqual(names(combined.plan), ['fabric', 'blue', 'red', '110', '120', '210'])
  t.deepEqual(combined.fromFiles.toSorted(), ['L2VNI/dmz', 'L2VNI/lan', 'L3VNI/blue'])
  t.deepEqual([combined.conflicts, combined.refused], [[], []])
  const own = controller(api).plan
  t.deepEqual(combined.plan.router, own.router)
  t.deepEqual(
    combined.plan.vrfs.find(({ name }) => name === 'red'),
    own.vrfs[0],
  )
  t.deepEqual(
    combined.plan.vrfs.find(({ name }) => name === 'blue')?.hostSession?.hostAddresses,
    ['10.1.0.8/24'],
    "the files' session has the files' number",
  )
})

const fabric = underlay()
for (const [what, api, files, conflict] of [
  ['a VNI', [l3('red', 100)], [l3('blue', 100)], /^L3VNI\/blue .*VNI 100 belongs to L3VNI\/red/],
  ['a VNI of the other kind', [l2('web', 100)], [l3('blue', 100)], /^L3VNI\/blue .*VNI 100/],
  ['a VRF', [l3('red', 100)], [l3('blue', 200, 'red')], /^L3VNI\/blue .*VRF red/],
  ['a NIC', [], [l3('blue', 200, 'eth1')], /^L3VNI\/blue .*eth1/],
  [
    'a bridge',
    [l2('web', 110, { hostMaster: { type: 'LinuxBridge', name: 'br0' } })],
    [l2('lan', 210, { hostMaster: { type: 'LinuxBridge', name: 'br0' } })],
    /^L2VNI\/lan .*br0/,
  ],
  [
    'a subnet of a VRF',
    [l2('web', 110, { vrf: 'red', gatewayIPs: ['10.0.0.1/24'] })],
    [l2('lan', 210, { vrf: 'red', gatewayIPs: ['10.0.0.129/25'] })],
    /^L2VNI\/lan .*overlaps/,
  ],
  [
    'the network of a host session',
    [l3('red', 100, 'red', session('10.0.0.0/16'))],
    [l3('blue', 200, 'blue', session('10.0.7.0/24'))],
    /^L3VNI\/blue .*10\.0\./,
  ],
  [
    'the passthrough',
    [object('L3Passthrough', 'a', session('10.0.0.0/24'))],
    [object('L3Passthrough', 'b', session('10.1.0.0/24'))],
    /^L3Passthrough\/b /,
  ],
  [
    'the VTEP in a passthrough',
    [],
    [object('L3Passthrough', 'b', session('100.65.0.0/28'))],
    /^L3Passthrough\/b .*100\.65\.0\.1/,
  ],
  [
    'an RD',
    [l3('red', 100, 'red', { routeDistinguisher: '1:1' })],
    [l3('blue', 200, 'blue', { routeDistinguisher: '1:1' })],
    /1:1/,
  ],
  ['another Underlay', [], [underlay('aaa')], /^Underlay\/aaa .*Underlay\/fabric/],
  [
    'the same name with something else',
    [l3('red', 100)],
    [l3('red', 200)],
    /^L3VNI\/red .*vni: 200 in the files, 100 in the API/,
  ],
  ['its Underlay with something else', [], [underlay('fabric', { asn: 64999 })], /^Underlay\/fabric .*asn: 64999/],
] as const) {
  test(`what contradicts the API in ${what} is left out and reported, and is back without it`, (t) => {
    const combined = both([fabric, ...api], files)
    t.is(combined.conflicts.length, 1, combined.conflicts.join('\n'))
    t.regex(combined.conflicts[0] ?? '', conflict)
    t.is(revisionOf(combined.plan), revisionOf(controller([fabric, ...api]).plan))
    t.deepEqual(combined.refused, [])
    const [only] = files
    const without = combine(
      controller([]),
      declared([
        ...(only.kind === 'Underlay' ? [] : [underlay('own', { vtep: { cidrs: ['100.66.0.0/24'] }, interfaces: [] })]),
        only,
      ]),
    )
    t.true(names(without.plan).length > 0)
    t.deepEqual(without.conflicts, [])
  })
}

test('a static object that selects other nodes is no conflict', (t) => {
  const elsewhere = { nodeSelector: { matchLabels: { rack: 'b' } } }
  const combined = both([fabric], [underlay('other', elsewhere), l3('blue', 200, 'blue', elsewhere)])
  t.deepEqual([combined.conflicts, combined.refused, names(combined.plan)], [[], [], ['fabric']])
})

test("a VRF of the API's segments is stretched by the files' L3VNI, in the same table", (t) => {
  const api = [fabric, l2('web', 110, { vrf: 'red' })]
  const combined = both(api, [l3('red', 100)])
  t.is(combined.plan.vrfs.length, 1)
  t.is(combined.plan.vrfs[0]?.l3vni?.vni, 100)
  t.is(combined.plan.vrfs[0]?.table, controller(api).plan.vrfs[0]?.table)
})

test('what two static objects do to each other is refused, not a conflict with the API', (t) => {
  const combined = both([fabric], [l3('blue', 200), l3('green', 200)])
  t.deepEqual(combined.conflicts, [])
  t.deepEqual(
    combined.refused.map(({ reason }) => reason),
    ['VNIConflict'],
  )
})

test('a number of the files that the API does not share is a conflict, and the address of the API counts', (t) => {
  const combined = combine(controller([fabric], 5), declared([fabric], 0))
  t.is(combined.plan.router?.vteps[0], '100.65.0.6')
  t.regex(combined.conflicts[0] ?? '', /Underlay\/fabric.*100\.65\.0\.1.*100\.65\.0\.6/)
})

test("the controller's addresses stay when its Underlay goes and the files' takes over", (t) => {
  const numbers = { vteps: ['100.65.0.6'], routerID: '100.65.0.6' }
  const own = underlay('own')
  const { plan: made, conflicts } = combine(controller([]), declared([own], 0), numbers)
  t.is(made.router?.vteps[0], '100.65.0.6')
  t.is(made.router?.routerID, '100.65.0.6')
  t.is(made.router?.routerMAC, controller([fabric], 5).plan.router?.routerMAC)
  t.is(conflicts.length, 1)
  t.deepEqual(combine(controller([]), declared([own], 5), numbers).conflicts, [])
  const other = underlay('own', { vtep: { cidrs: ['100.99.0.0/24'] } })
  t.is(combine(controller([]), declared([other], 0), numbers).plan.router?.vteps[0], '100.99.0.1', 'another pool')
})

test('no password is in a conflict', (t) => {
  const secret: Secret = { kind: 'Secret', metadata: { name: 's' }, data: { password: 'hunter2' } }
  const withPassword = underlay('fabric', {
    neighbors: [{ address: '192.168.10.1', type: 'External', passwordSecret: { name: 's' } }],
  })
  const { conflicts } = both([fabric], [withPassword, secret])
  t.is(conflicts.length, 1)
  t.notRegex(conflicts.join(), /hunter2/)
})

test('static VRFs never share a table with the API', (t) => {
  const api = controller([fabric, l3('red', 100)]).plan
  const table = combine(controller([fabric]), declared([l3('blue', 200)])).plan.vrfs[0]?.table ?? 0
  const moved = { ...api, vrfs: api.vrfs.map((vrf) => ({ ...vrf, table })) }
  const combined = combine({ plan: moved, refused: [] }, declared([l3('blue', 200)]))
  t.deepEqual(
    combined.plan.vrfs.map((vrf) => [vrf.name, vrf.table - table]),
    [
      ['blue', 1],
      ['red', 0],
    ],
  )
})

const anyObject = fc.oneof(
  fc
    .record({ vni: fc.integer({ min: 1, max: 6 }), vrf: fc.constantFrom('a', 'b', 'c') })
    .map(({ vni, vrf }) => l3(`l3-${vni}`, vni, vrf)),
  fc
    .record({ vni: fc.integer({ min: 1, max: 6 }), name: fc.constantFrom('x', 'y', 'z') })
    .map(({ vni, name }) => l2(name, vni)),
)
const anyObjects = fc.uniqueArray(anyObject, {
  maxLength: 6,
  selector: ({ kind, metadata }) => `${kind}/${metadata.name}`,
})

test('whatever both declare: every piece of the API is in the plan, no VNI, VRF or table is there twice', (t) => {
  fc.assert(
    fc.property(anyObjects, anyObjects, fc.boolean(), (api, files, hasRouter) => {
      const from = controller(hasRouter ? [fabric, ...api] : api)
      const combined = combine(from, declared([underlay(), ...files]))
      const vnis = [
        ...combined.plan.segments.map(({ vni }) => vni),
        ...combined.plan.vrfs.flatMap(({ l3vni }) => l3vni?.vni ?? []),
      ]
      t.is(new Set(vnis).size, vnis.length)
      t.is(new Set(combined.plan.vrfs.map(({ table }) => table)).size, combined.plan.vrfs.length)
      t.is(new Set(combined.plan.vrfs.map(({ name }) => name)).size, combined.plan.vrfs.length)
      for (const segment of from.plan.segments) t.true(combined.plan.segments.includes(segment))
      for (const vrf of from.plan.vrfs)
        t.true(
          combined.plan.vrfs.includes(vrf) ||
            (vrf.l3vni === undefined && combined.plan.vrfs.some(({ name }) => name === vrf.name)),
        )
    }),
    { numRuns: 200 },
  )
})
