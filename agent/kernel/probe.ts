/**
 * Whether this kernel can have the single shape: tried in a namespace of its own, which is gone afterwards. What cannot
 * be tried cannot be told by a version: distributions add to old kernels, and leave out of new ones.
 */
import { release } from 'node:os'
import type { Namespaces } from './namespaces.ts'
import { addBridgeVlans } from './netlink/bridge-vlan.ts'
import { addLink } from './netlink/link.ts'
import { Netlink } from './netlink/netlink.ts'
import { NetlinkError } from './netlink/netlink-error.ts'
import { createNetns, deleteNetns, netnsExists } from './netlink/netns.ts'
import { addVnis } from './netlink/vni-filter.ts'

/** Undefined when it can, otherwise what is missing. Throws when it cannot be tried. */
export function probeSingleVxlan({ routerPath }: Pick<Namespaces, 'routerPath'>): string | undefined {
  const path = `${routerPath}.probe`
  if (netnsExists(path)) deleteNetns(path)
  createNetns(path)
  try {
    using netlink = Netlink.open({ netns: path })
    return trial(netlink)
  } finally {
    deleteNetns(path)
  }
}

function trial(netlink: Netlink): string | undefined {
  const without = (missing: string, error?: NetlinkError): string =>
    `the kernel (${release()}) has no ${missing}${error === undefined ? '' : `: ${error.extack ?? error.code}`}`
  let missing = 'VLAN filtering in bridges (CONFIG_BRIDGE_VLAN_FILTERING)'
  try {
    const filtering = { kind: 'bridge', vlanFiltering: true, vlanDefaultPvid: 0 } as const
    const bridge = addLink(netlink, { name: 'bridge', data: filtering })
    // An old kernel takes what it does not know for granted: only what it says afterwards tells.
    if (bridge.data?.kind !== 'bridge' || bridge.data.vlanFiltering !== true) return without(missing)

    missing = 'VXLAN devices with a VNI filter (Linux 5.18)'
    const many = { kind: 'vxlan', external: true, vniFilter: true, local: '192.0.2.1', port: 4789 } as const
    const bridgePort = { vlanTunnel: true, neighSuppress: true, learning: false }
    const vxlan = addLink(netlink, { name: 'vxlan', data: many, master: bridge.index, bridgePort })
    if (vxlan.data?.kind !== 'vxlan' || vxlan.data.vniFilter !== true) return without(missing)
    addVnis(netlink, vxlan.index, [{ vni: 100, last: 101 }])

    missing = 'VLANs that are tunnels (vlan_tunnel)'
    if (vxlan.bridgePort?.vlanTunnel !== true) return without(missing)
    const range = { vid: 2, last: 3 }
    addBridgeVlans(netlink, vxlan.index, { vlans: [range], tunnels: [{ ...range, vni: 100 }] })

    missing = 'VLAN devices (8021q)'
    addLink(netlink, { name: 'svi', parent: bridge.index, data: { kind: 'vlan', id: 2 } })
    return undefined
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
    return without(missing, error)
  }
}
