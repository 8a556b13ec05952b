/**
 * The second datapath shape: VNIs are VLANs of a VLAN-aware bridge whose one VXLAN device maps VLANs to VNIs ("single
 * VXLAN device": `external vnifilter`, Linux >= 5.18, FRR >= 9). A bridge and its VXLAN device are a shard; there are as
 * many as ports and classes of VNIs take. What makes thousands of VNIs a node cheap.
 *
 * The bridges have the router's MAC, which is that of the L3VNIs' SVIs: an SVI with another makes its bridge promiscuous.
 */
import type { RouterPlan } from '../../../api/plan/node-plan.ts'
import { shardBridge, shardVxlan, sviName } from '../names.ts'
import type { LinkObject, Place } from '../objects.ts'
import { VXLAN_PORT, type Overlay, type OverlayNeeds } from './overlay.ts'
import { classOf, type ShardClass } from './place.ts'

export function shardClassOf({ l3, suppressARP }: Pick<OverlayNeeds, 'l3' | 'suppressARP'>): ShardClass {
  return l3 ? 'l3' : suppressARP ? 'l2' : 'l2-flooding'
}

/** The bridge and the VXLAN device that many VNIs share; `mtu` is what the largest of them needs. */
export function shard(number: number, mtu: number, router: RouterPlan, local: string): LinkObject[] {
  const { routerMAC: mac, for: ref } = router
  const common = { type: 'link', namespace: 'router', mtu, up: true, addrGenMode: 'none', for: ref } as const
  return [
    {
      ...common,
      kind: 'bridge',
      name: shardBridge(number),
      mac,
      mcastSnooping: false,
      vlanFiltering: true,
      vlanDefaultPvid: 0,
      forwardDelay: 0,
    },
    {
      ...common,
      kind: 'vxlan',
      name: shardVxlan(number),
      master: shardBridge(number),
      local,
      port: VXLAN_PORT,
      bridgePort: { learning: false, neighSuppress: classOf(number) !== 'l2-flooding', vlanTunnel: true },
    },
  ]
}

/** One VNI: its VLAN, and the SVI when something is routed. */
export function single(needs: OverlayNeeds, at: Place, routerMAC: string): Overlay {
  const { for: ref, vni, mtu, vrf, mac = routerMAC } = needs
  const bridge = shardBridge(at.shard)
  const routed = vrf !== undefined || needs.mac !== undefined
  const own = { namespace: 'router', for: ref } as const
  const svi = {
    type: 'link',
    kind: 'vlan',
    name: sviName(vni),
    mtu,
    mac,
    ...(vrf === undefined ? {} : { master: vrf }),
    up: true,
    addrGenMode: 'none',
    parent: bridge,
    vid: at.vid,
    ...own,
  } as const
  return {
    objects: [
      {
        type: 'vlan',
        bridge,
        vxlan: shardVxlan(at.shard),
        vid: at.vid,
        vni,
        port: true,
        tunnel: true,
        filter: true,
        self: routed,
        macs: routed && mac !== routerMAC ? [mac] : [],
        ...own,
      },
      ...(routed ? [svi] : []),
    ],
    routed: sviName(vni),
    port: { master: bridge, vlan: at.vid },
  }
}
