import test from 'ava'
import * as fc from 'fast-check'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { joined, readManifest } from '../manifest/read.ts'
import type { AnyResource } from '../kinds/kinds.ts'
import { nameOf } from '../rules/violation.ts'
import { snapshotOf, type Secret } from '../snapshot/snapshot.ts'
import type { NodeFacts } from './node-facts.ts'
import { plan } from './plan.ts'
import { redacted } from './redacted.ts'
import { review } from './review.ts'
import { revisionOf } from './revision.ts'

const node: NodeFacts = { name: 'node1', index: 0, labels: { rack: '1' } }
const demo = join(import.meta.dirname, '../../examples/demo')

type Objects = readonly (AnyResource | Secret)[]

/** Objects as a user writes them, through the reader. */
function objects(...specs: (readonly [kind: string, name: string, spec: unknown])[]): Objects {
  const texts = specs.map(([kind, name, spec]) =>
    kind === 'Secret'
      ? stringify({ apiVersion: 'v1', kind, metadata: { name }, stringData: spec })
      : stringify({ apiVersion: 'nodeleaf.io/v1alpha1', kind, metadata: { name }, spec }),
  )
  const { documents, problems } = joined([readManifest('x.yaml', texts.join('---\n'))])
  if (problems.length > 0) throw new Error(JSON.stringify(problems))
  return documents.map((each) => each.object)
}

const neighbor = { address: '192.168.10.1', type: 'External' }
const underlay = { asn: 64514, vtep: { cidrs: ['100.65.0.0/24'] }, neighbors: [neighbor] }
const session = (ipv4: string, more = {}) => ({ hostSession: { hostASN: 64515, localCIDR: { ipv4 }, ...more } })
const planned = (given: Objects, facts = node) => plan(snapshotOf(given), facts)
const reasons = (given: Objects, facts = node): string[] =>
  planned(given, facts).refused.map(
    (each) => `${nameOf(each.object)} ${each.reason}${each.pending ? ' pending' : ''}${each.partial ? ' partial' : ''}`,
  )

for (const [name, index] of [
  ['node1', 0],
  ['node2', 1],
] as const) {
  test(`${name} gets the plan in golden/${name}.json from the demo's files`, (t) => {
    const readings = readdirSync(demo)
      .filter((file) => file.endsWith('.yaml'))
      .sort()
      .map((file) => readManifest(file, readFileSync(join(demo, file), 'utf8')))
    const { documents, problems } = joined(readings)
    t.deepEqual(problems, [])
    const result = planned(
      documents.map((each) => each.object),
      { name, index, labels: {} },
    )
    t.deepEqual(result.refused, [])
    t.deepEqual(result.plan, JSON.parse(readFileSync(join(import.meta.dirname, `golden/${name}.json`), 'utf8')))
  })
}

test('an empty snapshot gives an empty plan', (t) => {
  t.deepEqual(planned([]), { plan: { node: 'node1', vrfs: [], segments: [] }, refused: [] })
})

test('VNIs and passthrough wait for an Underlay', (t) => {
  const given = objects(
    ['L3VNI', 'a', { vni: 1, vrf: 'a' }],
    ['L2VNI', 'b', { vni: 2 }],
    ['L3Passthrough', 'c', session('10.0.0.0/24')],
  )
  t.deepEqual(planned(given).plan, { node: 'node1', vrfs: [], segments: [] })
  t.deepEqual(reasons(given), [
    'L2VNI/b NoUnderlay pending',
    'L3Passthrough/c NoUnderlay pending',
    'L3VNI/a NoUnderlay pending',
  ])
})

test('a node whose VTEP would be the address of a neighbour gets no router, the others do', (t) => {
  const given = objects(['Underlay', 'u', { ...underlay, vtep: { cidrs: ['192.168.10.0/24'] } }])
  t.deepEqual(reasons(given), ['Underlay/u SubnetOverlap'])
  t.is(planned(given).plan.router, undefined)
  t.deepEqual(reasons(given, { ...node, index: 1 }), [])
})

test('without a VTEP there are no VNIs, but sessions and passthrough', (t) => {
  const { vtep: _, ...without } = underlay
  const given = objects(
    ['Underlay', 'u', { ...without, routerIDCIDR: '10.9.0.0/24' }],
    ['L3VNI', 'a', { vni: 1, vrf: 'a' }],
    ['L3Passthrough', 'c', session('10.0.0.0/24')],
  )
  const result = planned(given).plan
  t.is(result.router?.routerID, '10.9.0.1')
  t.deepEqual(result.passthrough?.hostAddresses, ['10.0.0.2/24'])
  t.deepEqual(reasons(given), ['L3VNI/a NoVTEP pending'])
})

test('nodes that fit into the pools get theirs, the others are told', (t) => {
  const given = objects(
    ['Underlay', 'u', { ...underlay, vtep: { cidrs: ['100.65.0.0/30'] }, routerIDCIDR: '10.9.0.0/24' }],
    ['L3VNI', 'a', { vni: 1, vrf: 'a', ...session('10.0.0.0/29') }],
  )
  t.deepEqual(reasons(given, { ...node, index: 2 }), [])
  t.deepEqual(reasons(given, { ...node, index: 3 }), ['L3VNI/a NoVTEP pending', 'Underlay/u PoolExhausted partial'])
  const large = objects(['Underlay', 'u', underlay], ['L3VNI', 'a', { vni: 1, vrf: 'a', ...session('10.0.0.0/29') }])
  t.deepEqual(reasons(large, { ...node, index: 4 }), [])
  t.deepEqual(reasons(large, { ...node, index: 5 }), ['L3VNI/a PoolExhausted partial'])
  t.deepEqual(planned(large, { ...node, index: 5 }).plan.vrfs[0]?.hostSession, undefined)
})

test('a neighbour whose Secret is missing waits; the rest goes on', (t) => {
  const passwordSecret = { name: 's', key: 'k' }
  const given = objects(
    ['Underlay', 'u', { ...underlay, neighbors: [neighbor, { ...neighbor, address: '192.168.20.1', passwordSecret }] }],
    ['L3VNI', 'a', { vni: 1, vrf: 'a', ...session('10.0.0.0/24', { passwordSecret }) }],
  )
  t.deepEqual(reasons(given), ['L3VNI/a SecretMissing pending partial', 'Underlay/u SecretMissing pending partial'])
  t.is(planned(given).plan.router?.neighbors.length, 1)
  t.is(planned(given).plan.vrfs.length, 1)
  t.deepEqual(reasons([...given, ...objects(['Secret', 's', { other: 'x' }])]).length, 2)
  const whole = [...given, ...objects(['Secret', 's', { k: 'hunter2' }])]
  t.deepEqual(reasons(whole), [])
  t.is(planned(whole).plan.router?.neighbors[1]?.password, 'hunter2')
  t.notRegex(JSON.stringify(redacted(planned(whole).plan)), /hunter2/)
  const changed = [...given, ...objects(['Secret', 's', { k: 'hunter3' }])]
  t.not(revisionOf(planned(whole).plan), revisionOf(planned(changed).plan))
})

test('what a password waits for is named, and where it has to be put', (t) => {
  const passwordSecret = { name: 's', key: 'k' }
  const given = objects(['Underlay', 'u', { ...underlay, neighbors: [{ ...neighbor, passwordSecret }] }])
  const said = (more: ReturnType<typeof objects>): string =>
    planned([...given, ...more])
      .refused.map(({ message, remedy }) => `${message}; ${remedy}`)
      .join()
  t.regex(said([]), /^Secret\/s does not exist; .* waits for it; create it with the key k, .*namespace$/)
  t.regex(said(objects(['Secret', 's', { other: 'x' }])), /^Secret\/s has no key k; .*; add the key, or name another/)
  t.regex(said(objects(['Secret', 's', { k: '' }])), /^the password in Secret\/s, key k, is empty; .*; write 1 to 80/)
})

for (const password of ['', 'ends\n', 'two words', 'x'.repeat(81), 'pässword'])
  test(`${JSON.stringify(password)} is no password for FRR, and is not repeated`, (t) => {
    const passwordSecret = { name: 's', key: 'k' }
    const given = objects(
      ['Underlay', 'u', { ...underlay, neighbors: [{ ...neighbor, passwordSecret }] }],
      ['Secret', 's', { k: password }],
    )
    t.deepEqual(reasons(given), ['Underlay/u SecretInvalid pending partial'])
    if (password !== '') t.false(planned(given).refused[0]?.message.includes(password))
  })

test('an L2VNI with a VRF and no L3VNI makes a local VRF', (t) => {
  const given = objects(
    ['Underlay', 'u', underlay],
    ['L2VNI', 'z', { vni: 5, vrf: 'red', gatewayIPs: ['10.0.5.1/24'] }],
    ['L2VNI', 'b', { vni: 6, vrf: 'red' }],
  )
  const [vrf] = planned(given).plan.vrfs
  t.deepEqual([vrf?.for, vrf?.name, vrf?.l3vni], [{ kind: 'L2VNI', name: 'b' }, 'red', undefined])
})

test('addresses are in canonical text, IPv4 first', (t) => {
  const given = objects(
    [
      'Underlay',
      'u',
      {
        ...underlay,
        neighbors: [{ address: 'FD00:10:0::1', asn: 1 }],
        vtep: { cidrs: ['FD00:65:0::/64', '100.65.0.0/24'] },
      },
    ],
    ['L2VNI', 'a', { vni: 5, vrf: 'red', gatewayIPs: ['FD00:0::1/64', '10.0.5.1/24'] }],
  )
  const { router, segments } = planned(given).plan
  t.deepEqual(router?.vteps, ['fd00:65::1', '100.65.0.1'])
  t.deepEqual(router?.vtepPools, ['100.65.0.0/24', 'fd00:65::/64'])
  t.is(router?.routerID, '100.65.0.1')
  t.deepEqual(router?.neighbors[0]?.peer, { type: 'address', address: 'fd00:10::1' })
  t.deepEqual(router?.neighbors[0]?.families, ['IPv4Unicast', 'IPv6Unicast', 'L2VPNEVPN'])
  t.deepEqual(segments[0]?.gateways, ['10.0.5.1/24', 'fd00::1/64'])
})

test('allowas-in is on for external neighbours, also those given by number', (t) => {
  const neighbors = [
    { address: '10.0.0.1', type: 'External' },
    { address: '10.0.0.2', asn: 64601 },
    { address: '10.0.0.3', asn: 64514 },
    { address: '10.0.0.4', type: 'Internal' },
    { address: '10.0.0.5', type: 'External', allowASIn: false },
  ]
  const given = objects(['Underlay', 'u', { ...underlay, neighbors }])
  t.deepEqual(
    planned(given).plan.router?.neighbors.map((each) => each.allowASIn),
    [true, true, false, false, false],
  )
})

test('passthrough does not take a network that the underlay is in', (t) => {
  const given = (cidr: string) => objects(['Underlay', 'u', underlay], ['L3Passthrough', 'p', session(cidr)])
  t.deepEqual(reasons(given('192.168.10.0/24')), ['L3Passthrough/p SubnetOverlap'])
  t.deepEqual(reasons(given('100.65.0.0/16')), ['L3Passthrough/p SubnetOverlap'])
  t.deepEqual(reasons(given('10.0.0.0/24')), [])
})

test('a node with the index of another gets no router', (t) => {
  const given = objects(['Underlay', 'u', underlay], ['RouterNode', 'node0', { index: 0 }])
  t.deepEqual(reasons(given), ['Underlay/u IndexConflict'])
  t.deepEqual(reasons(given, { ...node, name: 'node0' }), [])
})

test('review says of several nodes what is true of each only once', (t) => {
  const given = objects(
    ['Underlay', 'u', underlay],
    ['RouterNode', 'node0', { index: 0 }],
    ['RouterNode', 'node1', { index: 1 }],
    ['L3VNI', 'a', { vni: 1, vrf: 'a' }],
    ['L2VNI', 'b', { vni: 1 }],
  )
  t.deepEqual(
    review(snapshotOf(given)).map((each) => `${nameOf(each.object)} ${each.reason}`),
    ['L2VNI/b VNIConflict'],
  )
})

/** Small worlds, full of conflicts. */
const rack = fc.constantFrom(
  {},
  { nodeSelector: { matchLabels: { rack: '1' } } },
  { nodeSelector: { matchLabels: { rack: '2' } } },
)
const vrf = fc.constantFrom('red', 'blue', 'eth1')
const cidr = fc.constantFrom('10.0.0.0/24', '10.0.0.0/25', '10.1.0.0/16', '192.168.10.0/24')
const vni = fc.integer({ min: 1, max: 4 })
const secret = fc.constantFrom({}, { passwordSecret: { name: 'there' } }, { passwordSecret: { name: 'missing' } })
const worlds = fc
  .array(
    fc.oneof(
      fc
        .record({ rack, secret })
        .map(
          (w) =>
            [
              'Underlay',
              { ...underlay, ...w.rack, interfaces: [{ name: 'eth1' }], neighbors: [{ ...neighbor, ...w.secret }] },
            ] as const,
        ),
      fc
        .record({ rack, secret, vni, vrf, cidr })
        .map((w) => ['L3VNI', { vni: w.vni, vrf: w.vrf, ...w.rack, ...session(w.cidr, w.secret) }] as const),
      fc
        .record({ rack, vni, vrf })
        .map((w) => ['L2VNI', { vni: w.vni, vrf: w.vrf, ...w.rack, gatewayIPs: ['10.0.0.1/24'] }] as const),
      fc
        .record({ rack, cidr, secret })
        .map((w) => ['L3Passthrough', { ...w.rack, ...session(w.cidr, w.secret) }] as const),
    ),
    { maxLength: 9 },
  )
  .map((specs) => [
    ...objects(...specs.map(([kind, spec], i): [string, string, unknown] => [kind, `x${i}`, spec])),
    ...objects(['Secret', 'there', { password: 'p' }]),
  ])

test('the order of the objects does not matter', (t) => {
  const shuffled = worlds.chain((world) =>
    fc.tuple(fc.constant(world), fc.shuffledSubarray([...world], { minLength: world.length, maxLength: world.length })),
  )
  fc.assert(fc.property(shuffled, ([world, other]) => t.deepEqual(planned(world), planned(other))))
})

test('removing what the rules of the fabric refuse changes nothing else', (t) => {
  fc.assert(
    fc.property(worlds, (world) => {
      const before = planned(world)
      const gone = before.refused.find((each) => each.node === undefined && !each.pending)?.object
      if (!gone) return
      const after = planned(world.filter((each) => !(each.kind === gone.kind && each.metadata.name === gone.name)))
      t.deepEqual(after.plan, before.plan)
      t.deepEqual(
        after.refused,
        before.refused.filter((each) => nameOf(each.object) !== nameOf(gone)),
      )
    }),
  )
})

test('a younger object never takes anything from an older one', (t) => {
  fc.assert(
    fc.property(worlds, (world) => {
      const others = world.filter((each) => each.kind !== 'Secret')
      const youngest = others.at(-1)
      if (!youngest) return
      const key = nameOf({ kind: youngest.kind, name: youngest.metadata.name })
      const before = planned(world.filter((each) => each !== youngest))
      const after = planned(world)
      if (youngest.kind === 'Underlay' || youngest.kind === 'L3VNI') {
        const refusals = (of: typeof before) =>
          of.refused.filter((each) => !each.pending && nameOf(each.object) !== key)
        if (before.plan.router) t.deepEqual(refusals(after), refusals(before))
        return
      }
      t.deepEqual(after.plan.router, before.plan.router)
      for (const vrfPlan of before.plan.vrfs)
        t.true(after.plan.vrfs.some((each) => JSON.stringify(each) === JSON.stringify(vrfPlan)))
      for (const segment of before.plan.segments)
        t.true(after.plan.segments.some((each) => JSON.stringify(each) === JSON.stringify(segment)))
      if (before.plan.passthrough) t.deepEqual(after.plan.passthrough, before.plan.passthrough)
    }),
  )
})

test('an unrelated object adds itself and changes nothing else', (t) => {
  const unrelated = objects(['L2VNI', 'zz', { vni: 99 }], ['Secret', 'unused', { a: 'b' }])
  fc.assert(
    fc.property(worlds, (world) => {
      const before = planned(world)
      const after = planned([...world, ...unrelated])
      const notIt = (name: string): boolean => name !== 'zz'
      t.deepEqual({ ...after.plan, segments: after.plan.segments.filter((each) => notIt(each.for.name)) }, before.plan)
      t.deepEqual(
        after.refused.filter((each) => notIt(each.object.name)),
        before.refused,
      )
    }),
  )
})
