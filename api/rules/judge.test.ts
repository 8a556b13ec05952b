import test from 'ava'
import { checkResource } from '../manifest/check.ts'
import { kindNamed, type AnyResource } from '../kinds/kinds.ts'
import { snapshotOf } from '../snapshot/snapshot.ts'
import { judgeAnywhere, judgeFabric, judgeNode } from './judge.ts'
import { nameOf, type Violation } from './violation.ts'

const underlaySpec = {
  asn: 64514,
  vtep: { cidrs: ['100.65.0.0/24'] },
  neighbors: [{ address: '192.168.10.1', type: 'External' }],
}
const on = (rack: string) => ({ nodeSelector: { matchLabels: { rack } } })
const hostSession = (ipv4: string) => ({ hostSession: { hostASN: 64515, localCIDR: { ipv4 } } })

function object(kind: string, name: string, spec: Record<string, unknown>, created?: string): AnyResource {
  const declared = kindNamed(kind)
  if (!declared) throw new Error(kind)
  const metadata = { name, ...(created ? { creationTimestamp: created } : {}) }
  const checked = checkResource(declared, { apiVersion: 'nodeleaf.io/v1alpha1', kind, metadata, spec })
  if ('issues' in checked) throw new Error(JSON.stringify(checked.issues))
  return checked.object
}

const said = (refused: readonly Violation[]): string[] =>
  refused.map((each) =>
    `${nameOf(each.object)} ${each.reason} ${each.field} ${each.other ? nameOf(each.other) : ''}`.trim(),
  )
const inFabric = (...objects: AnyResource[]): string[] => said(judgeFabric(snapshotOf(objects)).refused)
const onNode = (rack: string, ...objects: AnyResource[]): string[] =>
  said(judgeNode(judgeFabric(snapshotOf(objects)).accepted, { name: 'n', labels: { rack } }).refused)
const anywhere = (...objects: AnyResource[]): string[] =>
  said(judgeAnywhere(judgeFabric(snapshotOf(objects)).accepted).refused)

test('a VNI is unique over L2VNI and L3VNI, even where their nodes never meet', (t) => {
  const a = object('L3VNI', 'a', { vni: 100, vrf: 'red', ...on('1') })
  const b = object('L2VNI', 'b', { vni: 100, ...on('2') })
  t.deepEqual(inFabric(b, a), ['L2VNI/b VNIConflict spec.vni L3VNI/a'])
})

test('the oldest wins, whatever the names', (t) => {
  const a = object('L3VNI', 'a', { vni: 100, vrf: 'red' }, '2026-02-01T00:00:00Z')
  const b = object('L2VNI', 'b', { vni: 100 }, '2026-01-01T00:00:00Z')
  t.deepEqual(inFabric(a, b), ['L3VNI/a VNIConflict spec.vni L2VNI/b'])
})

test('what is refused refuses nobody: the third is taken up', (t) => {
  const a = object('L3VNI', 'a', { vni: 100, vrf: 'red' })
  const b = object('L3VNI', 'b', { vni: 100, vrf: 'blue' })
  const c = object('L3VNI', 'c', { vni: 200, vrf: 'blue' })
  t.deepEqual(inFabric(c, b, a), ['L3VNI/b VNIConflict spec.vni L3VNI/a'])
  t.deepEqual(inFabric(c, b), ['L3VNI/c VRFConflict spec.vrf L3VNI/b'])
})

test('a VRF has one L3VNI, and any number of L2VNIs', (t) => {
  const a = object('L3VNI', 'a', { vni: 1, vrf: 'red' })
  t.deepEqual(
    inFabric(a, object('L2VNI', 'b', { vni: 2, vrf: 'red' }), object('L2VNI', 'c', { vni: 3, vrf: 'red' })),
    [],
  )
  t.deepEqual(inFabric(a, object('L3VNI', 'b', { vni: 2, vrf: 'red' })), ['L3VNI/b VRFConflict spec.vrf L3VNI/a'])
})

for (const [one, other] of [
  ['10.0.0.1/24', '10.0.0.129/25'],
  ['10.0.0.1/16', '10.0.5.1/24'],
  ['fd00:aa::1/64', 'FD00:00AA:0:0:1::1/80'],
] as const) {
  test(`gateways ${one} and ${other} of one VRF overlap, either way round, and not in two VRFs`, (t) => {
    const gateway = (name: string, vni: number, vrf: string, ip: string) =>
      object('L2VNI', name, { vni, vrf, gatewayIPs: [ip] })
    const expected = ['L2VNI/b SubnetOverlap spec.gatewayIPs[0] L2VNI/a']
    t.deepEqual(inFabric(gateway('a', 1, 'red', one), gateway('b', 2, 'red', other)), expected)
    t.deepEqual(inFabric(gateway('a', 1, 'red', other), gateway('b', 2, 'red', one)), expected)
    t.deepEqual(inFabric(gateway('a', 1, 'red', one), gateway('b', 2, 'blue', other)), [])
  })
}

test('a gateway does not overlap the host session of its VRF', (t) => {
  const l3 = object('L3VNI', 'a', { vni: 1, vrf: 'red', ...hostSession('10.0.0.0/16') })
  const l2 = object('L2VNI', 'b', { vni: 2, vrf: 'red', gatewayIPs: ['10.0.7.1/24'] })
  t.deepEqual(inFabric(l2, l3), ['L2VNI/b SubnetOverlap spec.gatewayIPs[0] L3VNI/a'])
})

test('host sessions do not overlap on one node, passthrough included, and may where they never meet', (t) => {
  const a = object('L3VNI', 'a', { vni: 1, vrf: 'red', ...hostSession('10.0.0.0/24'), ...on('1') })
  const b = object('L3VNI', 'b', { vni: 2, vrf: 'blue', ...hostSession('10.0.0.0/25') })
  const c = object('L3Passthrough', 'c', hostSession('10.0.0.128/25'))
  t.deepEqual(onNode('1', a, b, c), [
    'L3VNI/b SubnetOverlap spec.hostSession.localCIDR.ipv4 L3VNI/a',
    'L3Passthrough/c SubnetOverlap spec.hostSession.localCIDR.ipv4 L3VNI/a',
  ])
  t.deepEqual(onNode('2', a, b, c), [])
  t.deepEqual(anywhere(a, object('L3VNI', 'd', { vni: 3, vrf: 'd', ...hostSession('10.0.0.0/24'), ...on('2') })), [])
})

test('a node has one Underlay and one L3Passthrough', (t) => {
  const objects = [
    object('Underlay', 'a', { ...underlaySpec, ...on('1') }),
    object('Underlay', 'b', underlaySpec),
    object('L3Passthrough', 'a', hostSession('10.1.0.0/24')),
    object('L3Passthrough', 'b', hostSession('10.2.0.0/24')),
  ]
  const passthrough = 'L3Passthrough/b PassthroughConflict spec.nodeSelector L3Passthrough/a'
  t.deepEqual(onNode('1', ...objects), [passthrough, 'Underlay/b UnderlayConflict spec.nodeSelector Underlay/a'])
  t.deepEqual(onNode('2', ...objects), [passthrough])
})

test('a VRF or a bridge does not take the name of a NIC', (t) => {
  const ul = object('Underlay', 'a', { ...underlaySpec, interfaces: [{ name: 'eth1' }] })
  const l3 = object('L3VNI', 'b', { vni: 1, vrf: 'eth1' })
  const l2 = object('L2VNI', 'c', { vni: 2, hostMaster: { type: 'LinuxBridge', name: 'eth1' } })
  t.deepEqual(onNode('1', ul, l3, l2), [
    'L3VNI/b NameConflict spec.vrf Underlay/a',
    'L2VNI/c NameConflict spec.hostMaster.name Underlay/a',
  ])
})

test('a bridge of the host is in one segment', (t) => {
  const l2 = (name: string, vni: number) =>
    object('L2VNI', name, { vni, hostMaster: { type: 'LinuxBridge', name: 'br0', autoCreate: true } })
  t.deepEqual(onNode('1', l2('a', 1), l2('b', 2)), ['L2VNI/b BridgeConflict spec.hostMaster.name L2VNI/a'])
})

test('no two nodes share an index, no two VPNs a route distinguisher', (t) => {
  const rd = { routeDistinguisher: '64514:100' }
  t.deepEqual(
    inFabric(
      object('RouterNode', 'a', { index: 3 }),
      object('RouterNode', 'b', { index: 3 }),
      object('L2VNI', 'x', { vni: 1, ...rd }),
      object('L3VNI', 'y', { vni: 2, vrf: 'y', ...rd }),
    ),
    [
      'RouterNode/b IndexConflict spec.index RouterNode/a',
      'L3VNI/y RouteDistinguisherConflict spec.routeDistinguisher L2VNI/x',
    ],
  )
})

test('thousands of VNIs are judged in a blink', (t) => {
  const many = Array.from({ length: 4000 }, (_, i) =>
    object('L2VNI', `n${i}`, {
      vni: i + 1,
      vrf: 'red',
      gatewayIPs: [`10.${i >> 8}.${i & 255}.1/24`, `fd00:${i.toString(16)}::1/64`],
    }),
  )
  const snapshot = snapshotOf(many)
  t.is(judgeNode(judgeFabric(snapshot).accepted, { name: 'n', labels: {} }).accepted.length, 4000)
})
