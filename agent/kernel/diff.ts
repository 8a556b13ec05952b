/**
 * What is to be done to make the kernel as it is wanted: pure, and ordered.
 *
 * The stages frame FRR's configuration (field notes, "Order that FRR survives"): links are made down, FRR learns of
 * their VNIs, they are raised and addressed; FRR lets go, they are deleted. Within a stage: what must be freed first,
 * then whatever others depend on. A link is changed where it is whenever the kernel can; one that must be re-made takes
 * its addresses, routes and ports along, and a link that enters or leaves a VRF its routes, so these follow.
 */
import { changedFields, satisfied } from './change.ts'
import type { KernelObject, LinkObject, Stage } from './objects.ts'
import { shardOf } from './names.ts'
import { isEarly, isSetting, keyOf, linkKey, linksOf } from './objects.ts'
import type { Observed } from './observed.ts'
import type { Operation, Refusal } from './operation.ts'
import { describe } from './operation.ts'
import { isClosing, Surviving, type Sides } from './surviving.ts'

export function diff(want: readonly KernelObject[], { objects, foreign, moving }: Observed): readonly Operation[] {
  return diffOf({
    want: new Map(want.map((object) => [keyOf(object), object])),
    have: new Map(objects.map((object) => [keyOf(object), object])),
    foreign: new Map(foreign.map((link) => [linkKey(link.namespace, link.name), link])),
    moving,
  })
}

/** The same of what is known by key. */
export function diffOf(sides: Sides): readonly Operation[] {
  const surviving = new Surviving(sides)
  const ranked: { readonly rank: number; readonly operation: Operation }[] = []
  const add = (rank: number, operation: Operation): void => void ranked.push({ rank, operation })

  for (const link of surviving.remade) add(RANK.free, removal(link, 'create'))
  for (const [key, object] of sides.want) {
    if (object.type === 'link')
      for (const operation of linkOperations(object, key, surviving)) add(rankOf(operation), operation)
    else for (const operation of otherOperations(object, key, surviving)) add(rankOf(operation), operation)
  }
  for (const object of surviving.unwanted()) {
    if (object.type === 'link') {
      const [rank, stage] = leaving(object, surviving)
      if (stage === 'remove' && isLoweredFirst(object)) add(RANK.quieten, toDo('lower', object, stage, []))
      add(rank, removal(object, stage))
    } else if (object.type === 'vlan') {
      if (surviving.vlans.isInTheWay(object)) add(RANK.freeVlan, removal(object, 'raise'))
      else add(RANK.deleteVlan, removal(object, 'remove'))
    } else if (object.type === 'route')
      add(RANK.deleteRoute, removal(object, surviving.leavesWithVrf(object) ? 'remove' : 'raise'))
    else if (object.type === 'address') add(RANK.deleteAddress, removal(object, surviving.stageOfFreeing(object)))
  }
  const stages: readonly Stage[] = ['create', 'raise', 'plug', 'remove']
  return stages.flatMap((stage) =>
    ranked
      .filter(({ operation }) => operation.stage === stage)
      .sort((a, b) => a.rank - b.rank)
      .map(({ operation }) => operation),
  )
}

/** When a link that is wanted no more goes: after FRR has let go of it, unless one that is wanted cannot be with it. */
function leaving(link: LinkObject, surviving: Surviving): [rank: number, stage: Stage] {
  if (link.kind === 'vlan' && surviving.vlans.isInTheWay(link)) return [RANK.free, 'create']
  if (link.kind === 'vxlan' && surviving.vlans.isOfOtherShape(link)) return [RANK.freeVxlan, 'create']
  return [RANK.deleteLink[link.kind], 'remove']
}

/**
 * A shard that goes as a whole goes down first. Then zebra lets go of each VNI once, with all that it has learnt of it,
 * instead of MAC by MAC and SVI by SVI; and a bridge that is down costs zebra's clients less at each port that leaves:
 * newer kernels tell of the bridge every time (netdev_compute_master_upper_features), zebra passes that on as another
 * interface that went up (zebra/interface.c, if_up), and bgpd then walks all MACs (bgpd/bgp_mac.c).
 */
function isLoweredFirst(link: LinkObject): boolean {
  return link.up && isOfShard(link)
}

/** What the VNIs of a shard share. */
function isOfShard(link: LinkObject): link is Extract<LinkObject, { kind: 'bridge' | 'vxlan' }> {
  return (link.kind === 'bridge' || link.kind === 'vxlan') && shardOf(link.name) !== undefined
}

/** Smaller comes first within a stage. */
const RANK = {
  free: 0,
  setting: 1,
  deleteRoute: 2,
  deleteAddress: 3,
  /** Before the VRF and what is in it is raised. */
  close: 4,
  /** Making and changing; a link's master precedes it. */
  link: { loopback: 10, dummy: 11, vrf: 12, bridge: 13, vxlan: 14, vlan: 15, nic: 16, veth: 25 },
  /** When the shape changes: FRR has let go of all VNIs by then, and takes up none before they are gone. */
  freeVxlan: 13.5,
  freeVlan: 17,
  /** A shard is up before its VLANs: zebra tells bgpd of each VNI once then, not once more as each of the two comes up. */
  raiseShard: { bridge: 17.2, vxlan: 17.4 },
  vlan: 18,
  raise: { loopback: 20, dummy: 20, vrf: 21, bridge: 22, vxlan: 23, vlan: 24, veth: 26, nic: 26 },
  address: 30,
  route: 31,
  /** SVIs before ports: the kernel tells of all SVIs of a bridge, too, when a port leaves. */
  deleteLink: { vlan: 40, veth: 41, vxlan: 43, bridge: 44, vrf: 45, dummy: 46, loopback: 47, nic: 48 },
  quieten: 39,
  deleteVlan: 42,
} as const

function rankOf(operation: Operation): number {
  const { object } = operation
  switch (object.type) {
    case 'sysctl':
    case 'rule':
      return RANK.setting
    case 'vlan':
      return RANK.vlan
    case 'address':
      return RANK.address
    case 'route':
      return isClosing(object) ? RANK.close : RANK.route
    case 'link':
      if (operation.do === 'lower') return RANK.free
      if (operation.do === 'raise') return isOfShard(object) ? RANK.raiseShard[object.kind] : RANK.raise[object.kind]
      // The host's end follows the one that makes the pair.
      return RANK.link[object.kind] + (object.kind === 'veth' && object.namespace === 'host' ? 0.5 : 0)
  }
}

function linkOperations(link: LinkObject, key: string, surviving: Surviving): readonly Operation[] {
  const have = surviving.link(key)
  if (have !== undefined && isDone(link, have, surviving)) return NONE
  const after = dependencies(link)
  const refused = have === undefined ? surviving.refusal(link) : undefined
  const making: Stage = link.kind !== 'veth' ? 'create' : surviving.isPortOfShard(link) ? 'plug' : 'raise'
  const raising: Stage = isEarly(link) ? 'create' : making === 'plug' ? 'plug' : 'raise'
  const changing: Stage = isChangedEarly(link) ? 'create' : raising
  if (refused !== undefined) return [toDo('create', link, making, after, { refused })]

  // What is wrong with the master keeps the link from being plugged in, not from being there.
  const noMaster = surviving.masterRefusal(link)
  const now = noMaster === undefined ? link : without(link, have)
  const operations: Operation[] = []
  if (have === undefined) {
    operations.push(toDo('create', now, making, after))
    if (raisedLater(link)) operations.push(toDo('raise', now, raising, after))
  } else {
    // Down before FRR hears of its new VRF, or zebra installs routes over it that the kernel drops as the link moves,
    // with their next hops, and believes them to be there.
    const lowered = (link.kind === 'bridge' || link.kind === 'vlan') && have.up && surviving.isCycled(have)
    if (lowered) operations.push(toDo('lower', have, 'create', []))
    if (changedFields(now, have).length > 0) operations.push(toDo('change', now, changing, after, { was: have }))
    if (now.up && (!have.up || lowered)) operations.push(toDo('raise', now, raising, after, { was: have }))
  }
  if (noMaster !== undefined) operations.push(toDo('change', link, changing, after, { was: now, refused: noMaster }))
  return operations
}

const NONE: readonly Operation[] = []

/** Whether the link is as it should be: so it is with nearly all of them, nearly always. */
function isDone(link: LinkObject, have: LinkObject, surviving: Surviving): boolean {
  if (changedFields(link, have).length > 0 || (link.up && !have.up)) return false
  // What is lowered on the way is to be raised; a master that cannot be had is told.
  return !surviving.isCycled(have) && surviving.masterRefusal(link) === undefined
}

function otherOperations(
  object: Exclude<KernelObject, LinkObject>,
  key: string,
  surviving: Surviving,
): readonly Operation[] {
  const have = surviving.other(key)
  if (have !== undefined && satisfied(object, have)) return NONE
  if (isSetting(object)) {
    if (have === undefined && object.type === 'sysctl' && object.optional) return []
    return [toDo('change', object, 'create', [], have === undefined ? {} : { was: have })]
  }
  const stage = object.type === 'vlan' ? 'raise' : surviving.stageOf(object)
  const after = linksOf(object).map((link) => linkKey(object.namespace, link))
  return [
    have === undefined ? toDo('create', object, stage, after) : toDo('change', object, stage, after, { was: have }),
  ]
}

function removal(object: KernelObject, stage: Stage): Operation {
  return toDo('delete', object, stage, [], { was: object })
}

function toDo(
  what: Operation['do'],
  object: KernelObject,
  stage: Stage,
  after: readonly string[],
  more: { readonly was?: KernelObject; readonly refused?: Refusal } = {},
): Operation {
  return { do: what, stage, object, for: object.for, text: describe(what, object), after, ...more }
}

/** A shard's bridge too: no SVI can be made whose MTU is above the bridge's. */
function isChangedEarly(link: LinkObject): boolean {
  return isEarly(link) || (link.kind === 'bridge' && shardOf(link.name) !== undefined)
}

/**
 * A shard's port comes up when the host's end is up: its carrier comes with it, where it would come and go, and each time
 * zebra tells all daemons. Other veths come up as they are made, the host's end last: a speaker on the host that sees its
 * link without a carrier, while the one that it replaces has the same subnet, may lose routes as that one goes.
 */
function raisedLater(link: LinkObject): boolean {
  return !isEarly(link) && (link.kind !== 'veth' || link.vlan !== undefined)
}

function dependencies(link: LinkObject): string[] {
  const keys: string[] = []
  if (link.master !== undefined) keys.push(linkKey(link.namespace, link.master))
  if (link.kind === 'vlan') keys.push(linkKey(link.namespace, link.parent))
  if (link.kind === 'veth' && link.namespace === 'host') keys.push(linkKey(link.peer.namespace, link.peer.name))
  return keys
}

/** The link as it should be while its master cannot be had: where it is now, otherwise on its own. */
function without(link: LinkObject, have: LinkObject | undefined): LinkObject {
  const { master: _, ...rest } = link
  return have?.master === undefined ? rest : { ...rest, master: have.master }
}
