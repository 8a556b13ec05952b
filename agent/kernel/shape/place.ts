/**
 * Which VLAN of which shard a VNI of the single shape is. The kernel's state is the only record of it: what is there
 * stays where it is, whatever comes or goes beside it. Pure.
 */
import { shardOf, vniOf } from '../names.ts'
import type { KernelObject, Place } from '../objects.ts'

/**
 * VNIs of one class share shards, and a shard's number tells its class (the remainder by three), so that nobody must
 * remember it. L3VNIs are among themselves, as zebra may take another SVI of the bridge for theirs (FRR #23028); whether
 * ARP is suppressed is the VXLAN port's, so for a whole shard.
 */
export type ShardClass = 'l2' | 'l3' | 'l2-flooding'

const CLASSES: readonly ShardClass[] = ['l2', 'l3', 'l2-flooding']

/**
 * How many VNIs share a bridge, those on their way out counted. A bridge takes 1023 ports (BR_MAX_PORTS), but zebra reads
 * all that it forwards for each VNI that comes up, so one more costs the more the fuller its shard is. Below this number
 * what the rest costs outweighs it: `hack/bench --shapes single --sizes 1000 --filter add-one` shows what another one does.
 */
export const SHARD_VNIS = 128

/** 1 is every bridge's default. */
const FIRST_VID = 2
const LAST_VID = 4094

export interface Placed {
  readonly vni: number
  readonly class: ShardClass
}

export function classOf(shard: number): ShardClass {
  return CLASSES[shard % CLASSES.length] ?? 'l2'
}

/**
 * A place for each VNI. `known` says where VNIs are, also those that are wanted no more; each of its places is one VNI's.
 * A VNI that is known stays, unless its class has changed. Others take, in order of VNI, the first shard of their class
 * with room and the lowest VLAN that nobody has.
 */
export function place(vnis: readonly Placed[], known: ReadonlyMap<number, Place>): ReadonlyMap<number, Place> {
  const places = new Map<number, Place>()
  const shards = new Map<number, Shard>()
  const shardAt = (number: number): Shard => {
    const shard = shards.get(number) ?? { members: 0, wanted: new Set(), taken: new Set(), next: FIRST_VID }
    shards.set(number, shard)
    return shard
  }
  for (const { shard: number, vid } of known.values()) {
    const shard = shardAt(number)
    shard.members++
    shard.taken.add(vid)
  }
  const fresh: Placed[] = []
  for (const wanted of vnis) {
    const at = known.get(wanted.vni)
    if (at !== undefined && classOf(at.shard) === wanted.class && isVid(at.vid)) {
      places.set(wanted.vni, at)
      shardAt(at.shard).wanted.add(at.vid)
    } else fresh.push(wanted)
  }
  for (const { vni, class: shardClass } of fresh.toSorted((a, b) => a.vni - b.vni)) {
    for (let number = CLASSES.indexOf(shardClass); ; number += CLASSES.length) {
      const shard = shardAt(number)
      const vid = shard.members < SHARD_VNIS ? freeVid(shard) : undefined
      if (vid === undefined) continue
      shard.members++
      shard.wanted.add(vid)
      places.set(vni, { shard: number, vid })
      break
    }
  }
  return places
}

interface Shard {
  /** VNIs that are there or will be. */
  members: number
  /** VLANs of VNIs that are wanted. */
  readonly wanted: Set<number>
  /** VLANs that are in use now. */
  readonly taken: Set<number>
  /** Below it no VLAN is free. */
  next: number
}

function freeVid(shard: Shard): number | undefined {
  for (; shard.next <= LAST_VID; shard.next++) {
    if (!shard.wanted.has(shard.next) && !shard.taken.has(shard.next)) return shard.next++
  }
  return undefined
}

function isVid(vid: number): boolean {
  return vid >= FIRST_VID && vid <= LAST_VID
}

/**
 * Where VNIs are by what the kernel shows: the tunnels, otherwise an SVI or a veth that bears the VNI's number; and for
 * what shows nothing (somebody has deleted it) `last`, the places that were wanted before. Of two that claim one place
 * the first has it, the other is as good as new.
 */
export function knownPlaces(
  objects: Iterable<KernelObject>,
  last: ReadonlyMap<number, Place> = new Map(),
): ReadonlyMap<number, Place> {
  const [tunnels, svis, ports] = [[], [], []] as [Claim[], Claim[], Claim[]]
  for (const object of objects) {
    if (object.type === 'vlan') {
      if (object.tunnel) tunnels.push([object.vni, object.bridge, object.vid])
      continue
    }
    const vni = object.type === 'link' && object.namespace === 'router' ? vniOf(object.name) : undefined
    if (object.type !== 'link' || vni === undefined) continue
    if (object.kind === 'vlan') svis.push([vni, object.parent, object.vid])
    else if (object.kind === 'veth') ports.push([vni, object.master ?? '', object.vlan ?? 0])
  }
  const known = new Map<number, Place>()
  const taken = new Set<number>()
  const claim = (vni: number, at: Place): void => {
    const spot = at.shard * 4096 + at.vid
    if (known.has(vni) || taken.has(spot)) return
    known.set(vni, at)
    taken.add(spot)
  }
  for (const [vni, bridge, vid] of [...tunnels, ...svis, ...ports]) {
    const shard = shardOf(bridge)
    if (shard !== undefined && vid > 0) claim(vni, { shard, vid })
  }
  for (const [vni, at] of last) claim(vni, at)
  return known
}

type Claim = readonly [vni: number, bridge: string, vid: number]
