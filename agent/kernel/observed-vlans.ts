/** The VLANs of one shard as they are, from what its bridge and its VXLAN device have. Pure. */
import type { ResourceRef } from '../../api/plan/node-plan.ts'
import type { BridgeVlans, VlanRange } from './netlink/bridge-vlan.ts'
import type { VniRange } from './netlink/vni-filter.ts'
import type { VlanObject } from './objects.ts'

export interface ShardState {
  readonly bridge: string
  readonly vxlan: string
  /** The resource that the bridge serves. */
  readonly for: ResourceRef
  /** Of the VXLAN device as a port of the bridge. */
  readonly port: BridgeVlans
  /** Of the bridge itself. */
  readonly self: readonly VlanRange[]
  readonly filter: readonly VniRange[]
  /** What the bridge takes for its own beside its own MAC. */
  readonly macs: readonly { readonly vid: number; readonly mac: string }[]
}

/** A link of the shard that tells which VNI a VLAN is for, and whose: an SVI, or a veth in that VLAN alone. */
export interface Bearer {
  readonly vni: number
  readonly vid: number
  readonly for: ResourceRef
}

/**
 * A VNI's VLAN is the one that is mapped to it, otherwise the one of a bearer. What cannot be paired is there by itself:
 * somebody else's doing, to be removed.
 */
export function observedVlans(shard: ShardState, bearers: readonly Bearer[]): VlanObject[] {
  const state = membersOf(shard)
  const owners = new Map(bearers.map((bearer) => [bearer.vni, bearer.for]))
  const vids = new Map<number, number>()
  const paired = new Set<number>()
  const pair = (vid: number, vni: number): void => {
    if (vids.has(vni) || paired.has(vid)) return
    vids.set(vni, vid)
    paired.add(vid)
  }
  for (const [vid, vni] of state.tunnels) pair(vid, vni)
  for (const { vid, vni } of bearers) pair(vid, vni)

  const objects: VlanObject[] = []
  const add = (vid: number, vni: number): void => {
    const { plain, port, tunnels, filter, self, macs } = state
    const parts = {
      port: (vni === 0 ? port : plain).has(vid),
      tunnel: vni !== 0 && tunnels.get(vid) === vni,
      filter: filter.has(vni),
      self: self.has(vid),
      macs: macs.get(vid) ?? [],
    }
    if (!parts.port && !parts.tunnel && !parts.filter && !parts.self && parts.macs.length === 0) return
    const { bridge, vxlan } = shard
    const owner = owners.get(vni) ?? shard.for
    objects.push({ type: 'vlan', namespace: 'router', bridge, vxlan, vid, vni, ...parts, for: owner })
  }
  for (const [vni, vid] of vids) add(vid, vni)
  for (const vid of new Set([...state.port, ...state.self, ...state.macs.keys()])) if (!paired.has(vid)) add(vid, 0)
  for (const vni of state.filter) if (!vids.has(vni)) add(0, vni)
  return objects
}

function membersOf({ port, self, filter, macs }: ShardState) {
  const plain = port.vlans.filter((range) => range.pvid !== true && range.untagged !== true)
  const byVid = Map.groupBy(macs, ({ vid }) => vid)
  return {
    port: new Set(port.vlans.flatMap(vidsOf)),
    /** Tagged, as the VXLAN device needs them. */
    plain: new Set(plain.flatMap(vidsOf)),
    tunnels: new Map(port.tunnels.flatMap(({ vid, last, vni }) => numbers(vid, last).map((n) => [n, vni + n - vid]))),
    filter: new Set(filter.flatMap(({ vni, last }) => numbers(vni, last))),
    self: new Set(self.flatMap(vidsOf)),
    macs: new Map([...byVid].map(([vid, entries]) => [vid, entries.map(({ mac }) => mac).toSorted()])),
  } as const
}

function vidsOf({ vid, last }: VlanRange): number[] {
  return numbers(vid, last)
}

function numbers(first: number, last = first): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at)
}
