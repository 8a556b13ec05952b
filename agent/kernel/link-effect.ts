/** Makes, changes and deletes links. */
import { changedFields, type LinkField } from './change.ts'
import { KernelError } from './kernel-error.ts'
import { addBridgeVlansRequest, deleteBridgeVlansRequest, type VlanRange } from './netlink/bridge-vlan.ts'
import { deleteLinkRequest, linkChangeRequests, newLinkRequest } from './netlink/link.ts'
import type { LinkData } from './netlink/link-data.ts'
import type { Request } from './netlink/message.ts'
import { NetlinkError } from './netlink/netlink-error.ts'
import type { KernelObject, LinkObject } from './objects.ts'
import type { Operation } from './operation.ts'
import { aliasOf, GROUP_OWNED, GROUP_PLUGGED, ownerOf } from './owner.ts'
import { where } from './surviving.ts'
import type { Ask, Talk } from './talk.ts'
import { indexOf, type World } from './world.ts'

const FIRST_VLAN = 1
const LAST_VLAN = 4094

/** Throws KernelError and NetlinkError. */
export function linkTalk(operation: Operation, link: LinkObject, world: World): Talk {
  switch (operation.do) {
    case 'create':
      return link.kind === 'veth' && link.namespace === 'host' ? finish(link, world) : create(link, world)
    case 'change':
      return configure(link, operation.was, world)
    case 'raise':
      return raise(link, world)
    case 'lower':
      return ifOurs(link, world, (index) => linkChangeRequests(index, { up: false }))
    case 'delete':
      return ifOurs(link, world, (index) => [deleteLinkRequest(index)])
  }
}

/**
 * The group says whose it is from the first moment, the alias from the second on; what is then refused takes the link
 * away again.
 */
function* create(link: LinkObject, world: World): Talk {
  const data = dataOf(link)
  if (data === undefined) throw new Error(`a ${link.kind} is not made`)
  const { name, mac } = link
  // A bridge follows the MTUs of its ports until it is told one (br_mtu_auto_adjust): told later, it keeps it.
  const late = link.kind === 'bridge'
  const made = newLinkRequest(
    {
      name,
      data,
      mac,
      mtu: late ? undefined : link.mtu,
      group: GROUP_OWNED,
      master: link.master === undefined ? undefined : indexOf(world, link.namespace, link.master),
      parent: link.kind === 'vlan' ? indexOf(world, link.namespace, link.parent) : undefined,
      peer: link.kind === 'veth' ? { name: link.peer.name, mtu: link.mtu, group: GROUP_OWNED } : undefined,
    },
    link.kind === 'veth' ? world.namespaces.descriptor(link.peer.namespace) : undefined,
  )
  try {
    yield ask(link, [made])
  } catch (cause) {
    throw nameTaken(link, cause)
  }
  const index = indexOf(world, link.namespace, name)
  const vlan = vlanOf(link)
  const upNow =
    link.kind === 'dummy' ||
    (link.kind === 'veth' && vlan === undefined) ||
    (link.kind === 'bridge' && link.namespace === 'host')
  const rest = {
    alias: aliasOf(link.for),
    mtu: late ? link.mtu : undefined,
    addrGenMode: link.addrGenMode,
    bridgePort: 'bridgePort' in link ? link.bridgePort : undefined,
  }
  try {
    yield ask(link, [
      ...linkChangeRequests(index, { ...rest, up: upNow && link.up ? true : undefined }),
      ...(vlan === undefined ? [] : vlanRequests(index, vlan, undefined)),
    ])
  } catch (error) {
    try {
      yield ask(link, [deleteLinkRequest(index)])
    } catch {
      // What led here is what is told.
    }
    throw error
  }
}

/** The host's end of a veth that was just made. */
function* finish(link: LinkObject, world: World): Talk {
  const fields: readonly LinkField[] = ['owner', 'mtu', 'addrGenMode', 'bridgePort']
  const plugged: readonly LinkField[] = link.master === undefined ? [] : ['master']
  yield ask(link, changeRequests(link, [...fields, ...plugged], world, link.up))
}

function* configure(link: LinkObject, was: KernelObject | undefined, world: World): Talk {
  const fields = was?.type === 'link' ? changedFields(link, was) : []
  const index = indexOf(world, link.namespace, link.name)
  // On its own: with it, a VXLAN device refuses another MTU ("Cannot change mtu").
  const data = fields.includes('local') || fields.includes('bridgeOptions') ? changeableData(link) : undefined
  if (data !== undefined) yield ask(link, linkChangeRequests(index, { data }))
  const requests = changeRequests(link, fields, world, undefined)
  if (requests.length > 0) yield ask(link, requests)
  if (!fields.includes('vlan')) return
  const before = was?.type === 'link' && was.kind === 'veth' && was.master === link.master ? was.vlan : undefined
  yield ask(link, vlanRequests(index, vlanOf(link), before))
}

function* raise(link: LinkObject, world: World): Talk {
  yield ask(link, linkChangeRequests(indexOf(world, link.namespace, link.name), { up: true }))
}

/** What is not there any more, or is somebody else's now, is left alone. */
function* ifOurs(link: LinkObject, world: World, requests: (index: number) => Request[]): Talk {
  const there = world.link(link.namespace, link.name)
  if (there === undefined || ownerOf(there.alias, there.group) === undefined) return
  try {
    yield ask(link, requests(there.index))
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.code !== 'ENODEV') throw error
  }
}

function ask({ namespace }: LinkObject, requests: readonly Request[]): Ask {
  return { namespace, requests }
}

/** Sets the fields given. */
function changeRequests(
  link: LinkObject,
  fields: readonly LinkField[],
  world: World,
  up: boolean | undefined,
): Request[] {
  const has = (field: LinkField): boolean => fields.includes(field)
  const master = !has('master')
    ? undefined
    : link.master === undefined
      ? 0
      : indexOf(world, link.namespace, link.master)
  const plugged = master !== undefined && link.namespace === 'host'
  return linkChangeRequests(indexOf(world, link.namespace, link.name), {
    alias: has('owner') ? aliasOf(link.for) : undefined,
    mtu: has('mtu') ? link.mtu : undefined,
    mac: has('mac') ? link.mac : undefined,
    master,
    group: plugged ? (link.master === undefined ? GROUP_OWNED : GROUP_PLUGGED) : undefined,
    addrGenMode: has('addrGenMode') ? link.addrGenMode : undefined,
    bridgePort: has('bridgePort') && 'bridgePort' in link ? link.bridgePort : undefined,
    up,
  })
}

/** The port is in this VLAN and no other. `before`: the one it was in; 0: in whichever. */
function vlanRequests(index: number, vlan: number | undefined, before: number | undefined): Request[] {
  const vlans = before === undefined || before === vlan ? [] : before > 0 ? [{ vid: before }] : allBut(vlan)
  return [
    ...(vlans.length === 0 ? [] : [deleteBridgeVlansRequest(index, { vlans })]),
    ...(vlan === undefined
      ? []
      : [addBridgeVlansRequest(index, { vlans: [{ vid: vlan, pvid: true, untagged: true }] })]),
  ]
}

function allBut(vlan: number | undefined): VlanRange[] {
  if (vlan === undefined) return [{ vid: FIRST_VLAN, last: LAST_VLAN }]
  return [
    { vid: FIRST_VLAN, last: vlan - 1 },
    { vid: vlan + 1, last: LAST_VLAN },
  ].filter(({ vid, last }) => vid <= last)
}

function vlanOf(link: LinkObject): number | undefined {
  return link.kind === 'veth' ? link.vlan : undefined
}

function nameTaken(link: LinkObject, cause: unknown): unknown {
  if (!(cause instanceof NetlinkError) || cause.code !== 'EEXIST') return cause
  const message =
    `${link.kind} ${link.name} cannot be made in the ${where(link.namespace)}: another link has its name` +
    `${link.kind === 'vxlan' ? ' or its VNI' : ''} (${cause.extack ?? cause.code}); delete that one, or choose another`
  return new KernelError('NameTaken', message, { cause })
}

function dataOf(link: LinkObject): LinkData | undefined {
  switch (link.kind) {
    case 'dummy':
    case 'veth':
      return { kind: link.kind }
    case 'vrf':
      return { kind: 'vrf', table: link.table }
    case 'bridge': {
      const { mcastSnooping, vlanFiltering, vlanDefaultPvid, forwardDelay } = link
      return { kind: 'bridge', mcastSnooping, vlanFiltering, vlanDefaultPvid, forwardDelay }
    }
    case 'vxlan': {
      const { vni, local, port } = link
      const many = vni === undefined ? { external: true, vniFilter: true } : {}
      return { kind: 'vxlan', vni, local, port, learning: false, ...many }
    }
    case 'vlan':
      return { kind: 'vlan', id: link.vid }
    case 'loopback':
    case 'nic':
      return undefined
  }
}

/** The kernel refuses a change that as much as names the VNI or the port ("Cannot change port"). */
function changeableData(link: LinkObject): LinkData | undefined {
  return link.kind === 'vxlan' ? { kind: 'vxlan', local: link.local } : dataOf(link)
}
