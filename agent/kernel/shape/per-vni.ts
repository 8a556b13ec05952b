/**
 * The first datapath shape: a bridge and a VXLAN device per VNI. Works with every kernel and FRR that has EVPN.
 *
 * What comes out are the links that carry one VNI; who is plugged into the bridge is not the shape's business.
 */
import type { ResourceRef } from '../../../api/plan/node-plan.ts'
import { bridgeName, vxlanName } from '../names.ts'
import type { LinkObject } from '../objects.ts'

/** IANA's port for VXLAN (RFC 7348). */
const VXLAN_PORT = 4789

export interface OverlayNeeds {
  readonly for: ResourceRef
  readonly vni: number
  /** Outer source address. */
  readonly local: string
  readonly mtu: number
  readonly vrf?: string
  /** Of the bridge: the router's for an L3VNI, the gateway's for a segment that has one; absent: the kernel's choice. */
  readonly mac?: string
  readonly suppressARP: boolean
}

/**
 * The bridge makes no link-local address of its own: an L3VNI's needs none, and a gateway's is set without duplicate
 * address detection, as all nodes have the same. BGP teaches the MACs, so the VXLAN device learns nothing itself.
 */
export function perVni(needs: OverlayNeeds): LinkObject[] {
  const { for: ref, vni, local, mtu, vrf, mac, suppressARP } = needs
  const common = { type: 'link', namespace: 'router', mtu, up: true, addrGenMode: 'none', for: ref } as const
  return [
    {
      ...common,
      kind: 'bridge',
      name: bridgeName(vni),
      ...(vrf === undefined ? {} : { master: vrf }),
      ...(mac === undefined ? {} : { mac }),
      mcastSnooping: false,
    },
    {
      ...common,
      kind: 'vxlan',
      name: vxlanName(vni),
      master: bridgeName(vni),
      vni,
      local,
      port: VXLAN_PORT,
      bridgePort: { learning: false, neighSuppress: suppressARP, vlanTunnel: false },
    },
  ]
}
