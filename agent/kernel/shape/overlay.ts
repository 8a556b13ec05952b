/** What a datapath shape is asked for and what it gives: one VNI's part of the kernel. */
import type { ResourceRef } from '../../../api/plan/node-plan.ts'
import type { KernelObject } from '../objects.ts'

/** IANA's port for VXLAN (RFC 7348). */
export const VXLAN_PORT = 4789

export interface OverlayNeeds {
  readonly for: ResourceRef
  readonly vni: number
  /** Of an IP-VRF (symmetric IRB, type-5 routes), not of a segment. */
  readonly l3: boolean
  /** Outer source address. */
  readonly local: string
  readonly mtu: number
  readonly vrf?: string
  /** Of what is in the VRF: the router's for an L3VNI, the gateway's for a segment that has one; absent: any. */
  readonly mac?: string
  readonly suppressARP: boolean
}

export interface Overlay {
  /** What carries the VNI and serves its resource alone. */
  readonly objects: readonly KernelObject[]
  /** Name of the link that is in the VRF and gets the gateways' addresses: a bridge, or its SVI. */
  readonly routed: string
  /** How a veth is plugged in: the bridge, and the VLAN of the port where the bridge has VLANs. */
  readonly port: { readonly master: string; readonly vlan?: number }
}
