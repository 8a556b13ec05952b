/**
 * The first datapath shape: a bridge and a VXLAN device per VNI. Works with every kernel and FRR that has EVPN.
 *
 * The bridge makes no link-local address of its own: an L3VNI's needs none, and a gateway's is set without duplicate
 * address detection, as all nodes have the same. BGP teaches the MACs, so the VXLAN device learns nothing itself.
 */
import { bridgeName, vxlanName } from '../names.ts'
import { VXLAN_PORT, type Overlay, type OverlayNeeds } from './overlay.ts'

export function perVni(needs: OverlayNeeds): Overlay {
  const { for: ref, vni, local, mtu, vrf, mac, suppressARP } = needs
  const common = { type: 'link', namespace: 'router', mtu, up: true, addrGenMode: 'none', for: ref } as const
  const bridge = bridgeName(vni)
  return {
    objects: [
      {
        ...common,
        kind: 'bridge',
        name: bridge,
        ...(vrf === undefined ? {} : { master: vrf }),
        ...(mac === undefined ? {} : { mac }),
        mcastSnooping: false,
        forwardDelay: 0,
      },
      {
        ...common,
        kind: 'vxlan',
        name: vxlanName(vni),
        master: bridge,
        vni,
        local,
        port: VXLAN_PORT,
        bridgePort: { learning: false, neighSuppress: suppressARP, vlanTunnel: false },
      },
    ],
    routed: bridge,
    port: { master: bridge },
  }
}
