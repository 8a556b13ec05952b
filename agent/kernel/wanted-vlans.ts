/**
 * What VLANs of shards, and VXLAN devices of the two shapes, cannot be there together. Pure.
 *
 * A VLAN of a shard is one VNI, and a VNI is on one VXLAN device of a kind: what has the place of one that is wanted goes
 * before. VXLAN devices of the two shapes cannot be up together, as they receive differently on the same port
 * (drivers/net/vxlan, VXLAN_F_RCV_FLAGS: the second has "Address already in use"); and zebra takes a VNI from whatever
 * device is the last to have it.
 */
import type { KernelObject, LinkObject, VlanObject } from './objects.ts'

type Svi = Extract<LinkObject, { kind: 'vlan' }>
type Vxlan = Extract<LinkObject, { kind: 'vxlan' }>

export class WantedVlans {
  /** VNI by place. */
  readonly #vnis = new Map<string, number>()
  /** Place by VNI. */
  readonly #spots = new Map<number, string>()
  readonly #shapes = { single: false, perVni: false }

  constructor(want: Iterable<KernelObject>) {
    for (const object of want) {
      if (object.type === 'vlan') {
        const spot = spotOf(object.bridge, object.vid)
        this.#vnis.set(spot, object.vni)
        this.#spots.set(object.vni, spot)
      } else if (object.type === 'link' && object.kind === 'vxlan') {
        this.#shapes[object.vni === undefined ? 'single' : 'perVni'] = true
      }
    }
  }

  /** Whether something that is wanted no more has the VLAN, or is on a VXLAN device with the VNI, of one that is. */
  isInTheWay(object: VlanObject | Svi): boolean {
    if (object.type === 'link') return this.#vnis.has(spotOf(object.parent, object.vid))
    return this.#vnis.has(spotOf(object.bridge, object.vid)) || this.#spots.has(object.vni)
  }

  /** Whether a VXLAN device that is wanted no more is of one shape and those that are wanted are of the other. */
  isOfOtherShape({ vni }: Vxlan): boolean {
    return vni === undefined ? this.#shapes.perVni : this.#shapes.single
  }
}

function spotOf(bridge: string, vid: number): string {
  return `${bridge} ${vid}`
}

/** What is left of a VLAN when its bridge or its VXLAN device is gone. */
export function partsLeft(
  vlan: VlanObject,
  gone: { readonly bridge: boolean; readonly vxlan: boolean },
): VlanObject | undefined {
  if (!gone.bridge && !gone.vxlan) return vlan
  const left = {
    ...vlan,
    port: false,
    tunnel: false,
    filter: vlan.filter && !gone.vxlan,
    self: vlan.self && !gone.bridge,
    macs: gone.bridge ? [] : vlan.macs,
  }
  return left.filter || left.self || left.macs.length > 0 ? left : undefined
}
