import test from 'ava'
import type { AdmissionWorld } from './admission-world.ts'
import { asked, l2vni, l3vni, on, passthrough, raw, session, underlay, world, type Raw } from './fixture.ts'
import { review } from './review.ts'

const ul = underlay('ul')
const create = (object: Raw, here: AdmissionWorld) => review(asked('CREATE', object), here)
const update = (old: Raw, spec: Record<string, unknown>, here: AdmissionWorld) => {
  const now = { ...old, spec: { ...old.spec, ...spec } }
  return review(asked('UPDATE', now, { oldObject: old }), here)
}
const remove = (object: Raw, here: AdmissionWorld) => review(asked('DELETE', object), here)

interface Case {
  readonly there: readonly Raw[]
  readonly come: Raw
  readonly racks?: readonly string[]
  /** Absent: it is allowed without a warning. */
  readonly refused?: RegExp
}

const bridge = { hostMaster: { type: 'LinuxBridge', name: 'br0', autoCreate: true } }

const creations: Readonly<Record<string, Case>> = {
  'a VNI that is free': { there: [ul, l3vni('a', 100, 'red')], come: l2vni('b', 101) },
  'a VNI in use by another kind, on other nodes': {
    there: [ul, l3vni('a', 100, 'red', on('a'))],
    come: l2vni('b', 100, on('b')),
    refused:
      /^L2VNI\/b: spec\.vni: 100: VNI 100 belongs to L3VNI\/a, and a VNI is unique in the fabric; use a VNI that/,
  },
  'a second L3VNI for a VRF': {
    there: [ul, l3vni('a', 100, 'red')],
    come: l3vni('b', 101, 'red'),
    refused: /^L3VNI\/b: spec\.vrf: red: VRF red belongs to L3VNI\/a, .*; use another VRF/,
  },
  'a route distinguisher in use': {
    there: [ul, l2vni('a', 100, { routeDistinguisher: '64514:100' })],
    come: l2vni('b', 101, { routeDistinguisher: '64514:100' }),
    refused: /^L2VNI\/b: spec\.routeDistinguisher: 64514:100: .* belongs to L2VNI\/a; use another one/,
  },
  'a gateway within the network of another': {
    there: [ul, l3vni('v', 99, 'red'), l2vni('a', 100, { vrf: 'red', gatewayIPs: ['10.0.0.1/16'] })],
    come: l2vni('b', 101, { vrf: 'red', gatewayIPs: ['10.0.7.1/24'] }),
    refused:
      /^L2VNI\/b: spec\.gatewayIPs\[0\]: 10\.0\.7\.1\/24: 10\.0\.7\.0\/24 overlaps 10\.0\.0\.0\/16 of L2VNI\/a in the/,
  },
  'the same gateway in another VRF': {
    there: [
      ul,
      l3vni('v', 98, 'red'),
      l3vni('w', 99, 'blue'),
      l2vni('a', 100, { vrf: 'red', gatewayIPs: ['10.0.0.1/16'] }),
    ],
    come: l2vni('b', 101, { vrf: 'blue', gatewayIPs: ['10.0.7.1/24'] }),
  },
  'a host session that overlaps one on the same node': {
    there: [ul, l3vni('a', 100, 'red', session('10.9.0.0/24'))],
    come: passthrough('p', '10.9.0.0/25', on('b')),
    refused:
      /^L3Passthrough\/p: spec\.hostSession\.localCIDR\.ipv4: 10\.9\.0\.0\/25: .* overlaps 10\.9\.0\.0\/24 of L3VNI\/a.*node n2/,
  },
  'a second Underlay on a node': {
    there: [underlay('a', on('a'))],
    come: underlay('b', on('a', 'b')),
    refused: /^Underlay\/b: spec\.nodeSelector: b: Underlay\/a selects the node already, .*n0.*; give the two/,
  },
  'an Underlay for other nodes': { there: [underlay('a', on('a'))], come: underlay('b', on('b')) },
  'a second L3Passthrough on a node': {
    there: [ul, passthrough('a', '10.1.0.0/24')],
    come: passthrough('b', '10.2.0.0/24'),
    refused: /^L3Passthrough\/b: .*L3Passthrough\/a selects the node already/,
  },
  'a VRF with the name of a NIC': {
    there: [underlay('ul', { interfaces: [{ name: 'eth1' }] })],
    come: l3vni('b', 100, 'eth1'),
    refused: /^L3VNI\/b: spec\.vrf: eth1: the name eth1 is the network interface that Underlay\/ul names/,
  },
  'a bridge that is in another segment': {
    there: [ul, l2vni('a', 100, bridge)],
    come: l2vni('b', 101, bridge),
    refused: /^L2VNI\/b: spec\.hostMaster\.name: br0: .* segment of L2VNI\/a already/,
  },
  'the same bridge on other nodes': {
    there: [ul, l2vni('a', 100, { ...bridge, ...on('a') })],
    come: l2vni('b', 101, { ...bridge, ...on('b') }),
  },
  'what the refused would have had': {
    there: [ul, l3vni('a', 100, 'red', {}, 1), l3vni('b', 100, 'blue', {}, 2)],
    come: l3vni('c', 101, 'blue'),
  },
  'a passthrough network with a neighbour of the Underlay in it': {
    there: [ul],
    come: passthrough('p', '192.168.10.0/24'),
    refused: /^L3Passthrough\/p: .*192\.168\.10\.0\/24 contains 192\.168\.10\.1 of Underlay\/ul, .*and 2 nodes more/,
  },
  "an Underlay whose VTEP is in a passthrough's network": {
    there: [passthrough('p', '100.65.0.0/25')],
    come: ul,
    refused: /L3Passthrough\/p: .*contains 100\.65\.0\.1 of Underlay\/ul/,
  },
  "an Underlay with a VTEP that is a neighbour's address": {
    there: [],
    come: underlay('ul', { neighbors: [{ address: '100.65.0.2', type: 'External' }] }),
    refused: /^Underlay\/ul: spec\.neighbors\[0\]\.address: 100\.65\.0\.2: .* VTEP address that node n1 gets/,
  },
  'where no node is known, selectors that can meet': {
    there: [underlay('a', on('a'))],
    come: underlay('b', { nodeSelector: { matchLabels: { gpu: 'yes' } } }),
    racks: [],
    refused: /^Underlay\/b: .*Underlay\/a selects the node already/,
  },
  'a field that is misspelt': {
    there: [ul],
    come: l2vni('b', 101, { gatewayIP: [] }),
    refused: /^L2VNI\/b: spec\.gatewayIP: \[\] there is no such field; did you mean gatewayIPs\?/,
  },
  'a rule between fields': {
    there: [ul],
    come: l2vni('b', 101, { gatewayIPs: ['10.0.0.1/24'] }),
    refused: /^L2VNI\/b: spec\.gatewayIPs: .*gatewayIPs need a vrf to route in; add vrf/,
  },
  'an address that no schema can refuse': {
    there: [ul],
    come: l3vni('b', 101, 'red', session('10.0.0.7/24')),
    refused: /^L3VNI\/b: spec\.hostSession\.localCIDR\.ipv4: "10\.0\.0\.7\/24"/,
  },
}

for (const [name, { there, come, racks, refused }] of Object.entries(creations))
  test(`create ${name}: ${refused ? 'refused' : 'allowed'}`, (t) => {
    const verdict = create(come, world(there, racks))
    if (refused) t.regex(verdict.message ?? '', refused)
    else t.deepEqual(verdict, { allowed: true, warnings: [] })
    t.is(verdict.allowed, refused === undefined)
  })

test('what is made now is the youngest, whatever its time of creation says', (t) => {
  const here = world([ul, l3vni('a', 100, 'red', {}, 1000)])
  t.regex(create(l2vni('b', 100, {}, 1), here).message ?? '', /^L2VNI\/b: .*L3VNI\/a/)
})

test('a dry run gets the same answer', (t) => {
  const here = world([ul, l3vni('a', 100, 'red')])
  t.false(review(asked('CREATE', l2vni('b', 100), { dryRun: true }), here).allowed)
})

const older = l3vni('a', 100, 'red', {}, 1)
const younger = l2vni('b', 100, {}, 2)

test('an object in conflict may be edited to get out of it', (t) => {
  t.deepEqual(update(younger, { vni: 101 }, world([ul, older, younger])), { allowed: true, warnings: [] })
})

test('an unrelated edit of an object in conflict is allowed, and says that it still is', (t) => {
  for (const [object, spec] of [
    [younger, { mtu: 1400 }],
    [older, { mtu: 1400 }],
    [younger, on('a')],
  ] as const) {
    const verdict = update(object, spec, world([ul, older, younger]))
    t.true(verdict.allowed)
    t.regex(verdict.warnings[0] ?? '', /^still in conflict: L2VNI\/b: spec\.vni: 100: VNI 100 belongs to L3VNI\/a/)
  }
})

test('an edit that brings another conflict is refused, and names that one only', (t) => {
  const here = world([ul, older, younger, l2vni('c', 101, {}, 3)])
  const { message } = update(younger, { vni: 101 }, here)
  t.regex(message ?? '', /^L2VNI\/b: spec\.vni: 101: VNI 101 belongs to L2VNI\/c[^\n]+$/)
})

test('an older object is not edited onto what a younger one has: its editor is told', (t) => {
  const c = l2vni('c', 101, {}, 3)
  const { message } = update(older, { vni: 101 }, world([ul, older, c]))
  t.regex(message ?? '', /^L3VNI\/a: spec\.vni: 101: VNI 101 belongs to L2VNI\/c, /)
})

test('an older Underlay is not spread to nodes of a younger one', (t) => {
  const [a, b] = [underlay('a', on('a'), 1), underlay('b', on('b'), 2)]
  const { message } = update(a, on('a', 'b'), world([a, b]))
  t.regex(message ?? '', /^Underlay\/a: spec\.nodeSelector: a: Underlay\/b selects the node already.*n2/)
})

test('a conflict is not spread to further nodes', (t) => {
  const [a, b] = [underlay('a', on('a', 'c'), 1), underlay('b', on('a', 'b'), 2)]
  const here = world([a, b], ['a', 'b', 'c'])
  t.true(update(a, { mtu: 9000 }, here).allowed)
  t.true(update(a, on('c'), here).allowed)
  t.regex(update(a, on('a', 'b', 'c'), here).message ?? '', /Underlay\/b .*n1/)
})

test('an edit that lets one take up what another had meanwhile is not held against its editor', (t) => {
  const objects = [l3vni('a', 1, 'red', {}, 1), l3vni('b', 1, 'blue', {}, 2), l3vni('c', 2, 'blue', {}, 3)]
  t.true(update(objects[0] as Raw, { vni: 9 }, world([ul, ...objects])).allowed)
})

test('the one who stays in the way of one who waits takes nothing from a third', (t) => {
  const objects = [
    l3vni('a', 1, 'red', {}, 1),
    l3vni('b', 1, 'blue', {}, 2),
    l3vni('c', 2, 'blue', { routeDistinguisher: '1:7' }, 3),
  ]
  const { message } = update(objects[0] as Raw, { routeDistinguisher: '1:7' }, world([ul, ...objects]))
  t.regex(message ?? '', /L3VNI\/a: spec\.routeDistinguisher: 1:7: .* belongs to L3VNI\/c/)
})

test('an object that was wrong before may be edited as long as nothing else becomes wrong', (t) => {
  const wrong = l2vni('b', 101, { gatewayIPs: ['10.0.0.1/24'] })
  const verdict = update(wrong, { mtu: 1400 }, world([ul]))
  t.true(verdict.allowed)
  t.regex(verdict.warnings[0] ?? '', /gatewayIPs need a vrf/)
  t.regex(update(wrong, { vni: 0 }, world([ul])).message ?? '', /^L2VNI\/b: spec\.vni: 0 is out of range[^\n]*$/)
  t.true(update(wrong, { vrf: 'red' }, world([ul])).allowed)
})

test('metadata, status and everything about an object on its way out always pass', (t) => {
  const here = world([ul, older])
  const bad = l2vni('b', 100, { nonsense: true })
  const leaving = { ...bad, metadata: { ...bad.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [] } }
  t.true(
    review(asked('UPDATE', bad, { oldObject: { ...bad, metadata: { name: 'b', finalizers: ['x'] } } }), here).allowed,
  )
  t.true(review(asked('UPDATE', leaving, { oldObject: younger }), here).allowed)
  t.true(review(asked('UPDATE', bad, { subResource: 'status', oldObject: younger }), here).allowed)
  t.true(review(asked('DELETE', bad), here).allowed)
})

test('kinds of others and RouterNodes pass', (t) => {
  t.true(create(raw('RouterNode', 'n9', { index: 0 }), world([])).allowed)
  t.true(create(raw('Pod', 'x', {}), world([])).allowed)
})

test('a pool is not shrunk below what is in use, and may grow', (t) => {
  const here = world([ul], ['a', 'a', 'a'], { vteps: ['100.65.0.1', '100.65.0.2', '100.65.0.200'] })
  const shrunk = update(ul, { vtep: { cidrs: ['100.65.0.0/25'] } }, here)
  t.regex(shrunk.message ?? '', /^Underlay\/ul: spec\.vtep\.cidrs: 100\.65\.0\.0\/25: node n2 uses 100\.65\.0\.200, /)
  t.deepEqual(update(ul, { vtep: { cidrs: ['100.65.0.0/16'] } }, here), { allowed: true, warnings: [] })
  t.true(update(ul, { mtu: 9000 }, here).allowed)
})

const warned: Readonly<Record<string, Case & { readonly warning: RegExp }>> = {
  'a VRF that no L3VNI has': {
    there: [ul],
    come: l2vni('b', 1, { vrf: 'red' }),
    warning: /^spec\.vrf: no L3VNI has the VRF red; until one has, it is local to each node$/,
  },
  'a selector that matches no node': {
    there: [ul],
    come: l2vni('b', 1, on('z')),
    warning: /^spec\.nodeSelector matches none of the 3 nodes$/,
  },
  'a node without an Underlay': {
    there: [underlay('ul', on('b'))],
    come: l2vni('b', 1),
    warning: /^no Underlay selects nodes n0, n1; nothing happens there until one does$/,
  },
  'no Underlay and no node at all': { there: [], come: l2vni('b', 1), racks: [], warning: /^there is no Underlay yet/ },
  'a VTEP pool that is too small': {
    there: [],
    come: underlay('ul', { vtep: { cidrs: ['100.65.0.0/31'] } }),
    warning: /^spec\.vtep\.cidrs: 100\.65\.0\.0\/31 has no address for nodes n1, n2; use a larger pool$/,
  },
  'a host session that is too small': {
    there: [ul],
    come: l3vni('b', 1, 'red', session('10.9.0.0/30')),
    warning:
      /^spec\.hostSession\.localCIDR\.ipv4: 10\.9\.0\.0\/30 has no address for nodes n1, n2; use a larger network$/,
  },
  'a Secret that is not known': {
    there: [],
    come: underlay('ul', {
      neighbors: [{ address: '192.168.10.1', type: 'External', passwordSecret: { name: 'tor' } }],
    }),
    warning: /^spec\.neighbors\[0\]\.passwordSecret: Secret\/tor is not known yet; .* with the key password$/,
  },
  'a conflict on nodes that there could be': {
    there: [underlay('a', { nodeSelector: { matchLabels: { rack: 'a' } } })],
    come: underlay('b', {
      nodeSelector: {
        matchExpressions: [
          { key: 'gpu', operator: 'DoesNotExist' },
          { key: 'rack', operator: 'NotIn', values: ['b', 'q'] },
          { key: 'cpu', operator: 'Exists' },
        ],
      },
    }),
    racks: ['b'],
    warning: /^on a node that both select, which there is not yet: Underlay\/b: .*Underlay\/a selects the node already/,
  },
}

for (const [name, { there, come, racks, warning }] of Object.entries(warned))
  test(`create with ${name}: allowed with a warning`, (t) => {
    const verdict = create(come, world(there, racks))
    t.true(verdict.allowed, verdict.message)
    t.true(
      verdict.warnings.some((each) => warning.test(each)),
      JSON.stringify(verdict.warnings),
    )
    t.true(verdict.warnings.every((each) => each.length <= 256))
  })

test('warnings are few and short', (t) => {
  const neighbors = Array.from({ length: 20 }, (_, i) => ({
    address: `192.168.10.${i + 1}`,
    type: 'External',
    passwordSecret: { name: `s${i}${'x'.repeat(240)}` },
  }))
  const { allowed, warnings } = create(underlay('ul', { neighbors }), world([]))
  t.true(allowed)
  t.is(warnings.length, 7)
  t.true(warnings.every((each) => each.length <= 256))
  t.is(warnings.at(-1), 'and 14 warnings more')
})

test('a denial names a few and counts the rest', (t) => {
  const there = Array.from({ length: 9 }, (_, i) => l3vni(`v${i}`, 100 + i, `r${i}`, session(`10.9.${i}.0/24`)))
  const { message } = create(passthrough('p', '10.0.0.0/8'), world([ul, ...there]))
  t.regex(message ?? '', /overlaps 10\.9\.0\.0\/24 of L3VNI\/v0/)
  t.true((message ?? '').split('\n').length <= 6)
})

test('two nodes with one index are not held against an Underlay that comes', (t) => {
  const here = world([], ['a', 'a'])
  const twin = here.snapshot.resources.map((each) =>
    each.kind === 'RouterNode' ? { ...each, spec: { index: 0 } } : each,
  )
  t.true(create(ul, { ...here, snapshot: { ...here.snapshot, resources: twin } }).allowed)
})

test('a password that cannot be one is named without being shown', (t) => {
  const secrets = [{ kind: 'Secret' as const, metadata: { name: 'tor' }, data: { password: 'two words' } }]
  const come = underlay('ul', {
    neighbors: [{ address: '192.168.10.1', type: 'External', passwordSecret: { name: 'tor' } }],
  })
  const [warning] = create(come, world([], ['a'], { secrets })).warnings
  t.regex(warning ?? '', /Secret\/tor, key password, is not 1 to 80 printable/)
  t.false(warning?.includes('two words'))
})

test('deleting what others need is allowed and names them', (t) => {
  const red = l3vni('v', 99, 'red')
  const many = Array.from({ length: 9 }, (_, i) => l2vni(`s${i}`, 100 + i, { vrf: 'red' }))
  const here = world([ul, red, ...many])
  const last = remove(ul, here)
  t.true(last.allowed)
  t.regex(
    last.warnings.join(),
    /^L2VNI\/s0, L2VNI\/s1, L2VNI\/s2, L2VNI\/s3, L2VNI\/s4 and 5 more will not be Ready: no Underlay is left on nodes n0, n1, n2$/,
  )
  t.regex(remove(red, here).warnings.join(), /^the VRF red of L2VNI\/s0, .* and 4 more is no longer stretched over/)
})

test('deleting what nobody needs says nothing', (t) => {
  const spare = underlay('spare', on('b'), 9)
  const here = world([ul, spare, l2vni('s', 1, on('b')), l3vni('v', 99, 'red')])
  for (const each of [spare, l3vni('v', 99, 'red'), l2vni('s', 1)]) t.deepEqual(remove(each, here).warnings, [])
})
