/**
 * The demo's resources as objects, each with overrides: `lab.writeConfig({ 'red.yaml': l3vni('red', { mtu: 1400 }) })`.
 * Timers are shorter than the defaults where they only make a test wait.
 */
import type * as z from 'zod'
import { apiVersion } from '../../api/kinds/kind.ts'
import type { l2vni as l2vniKind } from '../../api/kinds/l2vni.ts'
import type { l3passthrough } from '../../api/kinds/l3passthrough.ts'
import type { l3vni as l3vniKind } from '../../api/kinds/l3vni.ts'
import type { underlay as underlayKind } from '../../api/kinds/underlay.ts'

export type UnderlaySpec = z.input<typeof underlayKind.spec>
export type L3VNISpec = z.input<typeof l3vniKind.spec>
export type L2VNISpec = z.input<typeof l2vniKind.spec>
export type PassthroughSpec = z.input<typeof l3passthrough.spec>

/** What `writeConfig` takes. */
export interface Resource<Spec = unknown> {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: Spec
}

/** Numbers of the demo that scenarios assert on; those of the fabric are in clab/. */
export const ASN = { nodes: 64514, hosts: 64515, leaf: 64610 } as const

/** AS of the nodes, NIC eth1, VTEP pool 100.65.0.0/24, the ToR as neighbour over IPv4 and IPv6. */
export function underlay(overrides: Partial<UnderlaySpec> = {}): Resource<UnderlaySpec> {
  return resource('Underlay', 'fabric', {
    asn: ASN.nodes,
    interfaces: [{ name: 'eth1' }],
    vtep: { cidrs: ['100.65.0.0/24'] },
    neighbors: [
      { address: '192.168.10.1', type: 'External', connectTime: 1 },
      { address: 'fd00:10::1', type: 'External', connectTime: 1, addressFamilies: ['IPv6Unicast'] },
    ],
    ...overrides,
  })
}

const l3vnis: Readonly<Record<string, L3VNISpec>> = {
  red: { vni: 100, vrf: 'red', hostSession: hostSession('192.169.10.0/24', 'fd00:c9:10::/64') },
  blue: { vni: 200, vrf: 'blue', hostSession: hostSession('192.169.20.0/24', 'fd00:c9:20::/64') },
}

/** `red` (VNI 100) and `blue` (VNI 200) are the demo's; any other name needs at least `vni`, its VRF is the name. */
export function l3vni(name: string, overrides: Partial<L3VNISpec> = {}): Resource<L3VNISpec> {
  return resource('L3VNI', name, { vni: 0, vrf: name, ...l3vnis[name], ...overrides })
}

const l2vnis: Readonly<Record<string, L2VNISpec>> = {
  segment110: {
    vni: 110,
    vrf: 'red',
    gatewayIPs: ['10.110.0.1/24', 'fd00:110::1/64'],
    hostMaster: { type: 'LinuxBridge', autoCreate: true },
  },
  segment300: { vni: 300, hostMaster: { type: 'LinuxBridge', autoCreate: true } },
}

/** `segment110` (in red, with the anycast gateway) and `segment300` (no VRF) are the demo's; any other needs `vni`. */
export function l2vni(name: string, overrides: Partial<L2VNISpec> = {}): Resource<L2VNISpec> {
  return resource('L2VNI', name, { vni: 0, ...l2vnis[name], ...overrides })
}

/** The session between host and fabric without encapsulation: 192.169.5.0/24, fd00:c9:5::/64. */
export function passthrough(overrides: Partial<PassthroughSpec> = {}): Resource<PassthroughSpec> {
  return resource('L3Passthrough', 'passthrough', {
    hostSession: hostSession('192.169.5.0/24', 'fd00:c9:5::/64'),
    ...overrides,
  })
}

/** The members of a host session: eBGP between the nodes' AS and the hosts'. */
export function hostSession(ipv4: string | undefined, ipv6: string | undefined): PassthroughSpec['hostSession'] {
  return {
    asn: ASN.nodes,
    hostASN: ASN.hosts,
    connectTime: 1,
    localCIDR: { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) },
  }
}

/** A v1 Secret with plain text in it. */
export function secret(name: string, values: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: values }
}

function resource<Spec>(kind: string, name: string, spec: Spec): Resource<Spec> {
  return { apiVersion, kind, metadata: { name }, spec }
}
