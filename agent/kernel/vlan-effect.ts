/**
 * Makes VLANs of shards what VNIs need: many at once, as ranges, in a handful of messages.
 *
 * The kernel stops at the first of a range that it refuses, and does not say which. Then each is done by itself, so that
 * the culprit alone fails.
 */
import { addBridgeVlansRequest, deleteBridgeVlansRequest, type BridgeVlans } from './netlink/bridge-vlan.ts'
import { deleteFdbRequest, replaceFdbRequest, type FdbSpec } from './netlink/fdb.ts'
import type { Request } from './netlink/message.ts'
import { NetlinkError } from './netlink/netlink-error.ts'
import { addVnisRequest, deleteVnisRequest } from './netlink/vni-filter.ts'
import type { VlanObject } from './objects.ts'
import type { Operation } from './operation.ts'
import { tunnelRanges, vlanRanges, vniRanges } from './ranges.ts'
import type { OwnMac } from './tables.ts'
import { converse, DONE, type Ask, type Outcome, type Talk } from './talk.ts'
import { indexOf, type World } from './world.ts'

/** One outcome an operation, in order. */
export function performVlans(operations: readonly Operation[], world: World): readonly Outcome[] {
  const jobs = operations.flatMap((operation) => jobOf(operation) ?? [])
  const outcomes = new Map<Job, Outcome>()
  for (const group of Map.groupBy(jobs, ({ vlan }) => `${vlan.bridge} ${vlan.vxlan}`).values()) {
    const [together] = converse([workTalk(group, world)], world.send)
    const results =
      together?.done === true || group.length === 1
        ? group.map(() => together ?? DONE)
        : converse(
            group.map((job) => workTalk([job], world)),
            world.send,
          )
    group.forEach((job, at) => outcomes.set(job, results[at] ?? DONE))
  }
  return jobs.map((job) => outcomes.get(job) ?? DONE)
}

/** What of a VLAN is to be made, and what of it is to go. */
interface Job {
  readonly vlan: VlanObject
  readonly make: VlanObject
  readonly unmake: VlanObject
}

function jobOf({ do: what, object, was }: Operation): Job | undefined {
  if (object.type !== 'vlan') return undefined
  const nothing: VlanObject = { ...object, port: false, tunnel: false, filter: false, self: false, macs: [] }
  if (what === 'delete') return { vlan: object, make: nothing, unmake: object }
  const there = was?.type === 'vlan' ? was : nothing
  return { vlan: object, make: lacking(object, there), unmake: lacking(there, object) }
}

/** What `one` has and `other` has not. */
function lacking(one: VlanObject, other: VlanObject): VlanObject {
  return {
    ...one,
    port: one.port && !other.port,
    tunnel: one.tunnel && !other.tunnel,
    filter: one.filter && !other.filter,
    self: one.self && !other.self,
    macs: one.macs.filter((mac) => !other.macs.includes(mac)),
  }
}

/** Jobs of one shard. What is refused leaves nothing new behind. */
function* workTalk(jobs: readonly Job[], world: World): Talk {
  const [first] = jobs
  if (first === undefined) return
  const { bridge, vxlan } = first.vlan
  const shard = { bridge: indexOf(world, 'router', bridge), vxlan: indexOf(world, 'router', vxlan) }
  const made = jobs.map(({ make }) => make)
  try {
    yield* remove(
      jobs.map(({ unmake }) => unmake),
      shard,
      world,
    )
    yield* add(made, shard, world)
  } catch (error) {
    try {
      yield* remove(made, shard, world)
    } catch {
      // What led here is what is told.
    }
    world.distrust(shard.vxlan)
    world.distrust(shard.bridge)
    throw error
  }
}

/** Numbers of a bridge and its VXLAN device. */
interface Shard {
  readonly bridge: number
  readonly vxlan: number
}

/** A VNI is let in before anything leads to it. */
function* add(vlans: readonly VlanObject[], shard: Shard, world: World): Talk {
  const vnis = vlans.filter(({ filter }) => filter).map(({ vni }) => vni)
  if (vnis.length > 0) yield ask([addVnisRequest(shard.vxlan, vniRanges(vnis))])
  world.noteVnis('new', shard.vxlan, vnis)
  const port = portOf(vlans, ({ tunnel }) => tunnel)
  if (port !== undefined) yield ask([addBridgeVlansRequest(shard.vxlan, port)])
  const own = vlanRanges(vlans.filter(({ self }) => self))
  if (own.length > 0) yield ask([addBridgeVlansRequest(shard.bridge, { vlans: own }, true)])
  const macs = vlans.flatMap(ownMacs)
  if (macs.length > 0) yield ask(macs.map((mac) => replaceFdbRequest(fdbSpec(mac, shard))))
  world.noteMacs('new', shard.bridge, macs)
}

function* remove(vlans: readonly VlanObject[], shard: Shard, world: World): Talk {
  const macs = vlans.flatMap(ownMacs)
  if (macs.length > 0) yield* orGone(macs.map((mac) => deleteFdbRequest(fdbSpec(mac, shard))))
  world.noteMacs('del', shard.bridge, macs)
  const own = vlanRanges(vlans.filter(({ self }) => self))
  if (own.length > 0) yield ask([deleteBridgeVlansRequest(shard.bridge, { vlans: own }, true)])
  // A tunnel goes with its VLAN (__vlan_del).
  const port = portOf(vlans, (vlan) => vlan.tunnel && !vlan.port)
  if (port !== undefined) yield ask([deleteBridgeVlansRequest(shard.vxlan, port)])
  const vnis = vlans.filter(({ filter }) => filter).map(({ vni }) => vni)
  if (vnis.length === 0) return
  try {
    yield ask([deleteVnisRequest(shard.vxlan, vniRanges(vnis))])
  } catch (error) {
    if (!isGone(error)) throw error
    yield* orGone(vnis.map((vni) => deleteVnisRequest(shard.vxlan, [{ vni }])))
  }
  world.noteVnis('del', shard.vxlan, vnis)
}

/** All are tried, whatever becomes of one. What is not there need not be deleted. */
function* orGone(requests: readonly Request[]): Talk {
  try {
    yield ask(requests)
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

function isGone(error: unknown): boolean {
  return error instanceof NetlinkError && error.code === 'ENOENT'
}

function ask(requests: readonly Request[]): Ask {
  return { namespace: 'router', requests }
}

function ownMacs({ vid, macs }: VlanObject): OwnMac[] {
  return macs.map((mac) => ({ vid, mac }))
}

function fdbSpec({ vid, mac }: OwnMac, { bridge }: Shard): FdbSpec {
  return { link: bridge, mac, vlan: vid, table: 'self', state: 'permanent' }
}

/** The VXLAN device's port; undefined when it is not concerned. */
function portOf(vlans: readonly VlanObject[], hasTunnel: (vlan: VlanObject) => boolean): BridgeVlans | undefined {
  const of = { vlans: vlanRanges(vlans.filter(({ port }) => port)), tunnels: tunnelRanges(vlans.filter(hasTunnel)) }
  return of.vlans.length + of.tunnels.length === 0 ? undefined : of
}
