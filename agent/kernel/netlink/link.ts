/** Links: `ip link` (net/core/rtnetlink.c). */
import { closeSync, openSync } from 'node:fs'
import type { BridgePort } from './bridge-port.ts'
import type { LinkData } from './link-data.ts'
import {
  decodeLink,
  encodeChange,
  encodeFilter,
  encodeGroup,
  encodeIndex,
  encodeLink,
  encodeMove,
  encodeWhich,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
} from './link-message.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from './message.ts'
import type { Request } from './message.ts'
import { malformed, NetlinkError } from './netlink-error.ts'
import type { Netlink } from './netlink.ts'

export type AddrGenMode = 'eui64' | 'none' | 'stable-privacy' | 'random'
export type Operstate = 'unknown' | 'notpresent' | 'down' | 'lowerlayerdown' | 'testing' | 'dormant' | 'up'

/** A link as the kernel describes it. */
export interface Link {
  readonly index: number
  readonly name: string
  /** `bridge`, `vxlan`, `veth`...; empty for a physical NIC and `lo`. */
  readonly kind: string
  /** Absent for a kind that has no type here. */
  readonly data?: LinkData | undefined
  readonly mtu: number
  readonly mac?: string | undefined
  /** Of the hardware. */
  readonly permanentMac?: string | undefined
  /** Index of the bridge or VRF. */
  readonly master?: number | undefined
  /** How it behaves as a bridge's port. */
  readonly bridgePort?: BridgePort | undefined
  /** Index of the device below (VLAN) or the veth's other end; in the namespace `parentNetnsId` when that is set. */
  readonly parent?: number | undefined
  readonly parentNetnsId?: number | undefined
  /** IFF_*: what was configured and what is. */
  readonly flags: number
  /** Configured up. */
  readonly up: boolean
  readonly operstate: Operstate
  readonly carrier: boolean
  readonly alias?: string | undefined
  readonly group: number
  readonly txQueueLength?: number | undefined
  /** How it makes its IPv6 link-local address; absent where IPv6 is off. */
  readonly addrGenMode?: AddrGenMode | undefined
}

/** What can be changed of a link that exists. Only what is given is changed. */
export interface LinkChange {
  /** The new name. */
  readonly name?: string | undefined
  readonly mtu?: number | undefined
  readonly mac?: string | undefined
  /** Index of the bridge or VRF; 0: none. */
  readonly master?: number | undefined
  readonly up?: boolean | undefined
  /** At most 255 bytes; '' removes it. */
  readonly alias?: string | undefined
  readonly group?: number | undefined
  readonly txQueueLength?: number | undefined
  readonly addrGenMode?: AddrGenMode | undefined
  readonly data?: LinkData | undefined
  /** Needs a bridge as master. */
  readonly bridgePort?: BridgePort | undefined
}

export interface LinkSpec extends LinkChange {
  readonly name: string
  readonly data: LinkData
  /** Index of the device below, for a VLAN. */
  readonly parent?: number | undefined
  /** The other end of a veth. */
  readonly peer?: VethPeer | undefined
}

export interface VethPeer {
  readonly name: string
  readonly mtu?: number | undefined
  readonly mac?: string | undefined
  readonly group?: number | undefined
  /** Path of the namespace it is made in; absent: the same. */
  readonly netns?: string | undefined
}

/** Kernel-side filters of a dump. */
export interface LinkFilter {
  readonly master?: number | undefined
  readonly kind?: string | undefined
}

/** `ip -d link show [master M] [type K]` */
export function listLinks(netlink: Netlink, filter: LinkFilter = {}): Link[] {
  return netlink
    .dump({ type: RTM_GETLINK, flags: 0, body: encodeFilter(filter), asked: 'list links' })
    .filter((message) => message.type === RTM_NEWLINK)
    .map((message) => decodeLink(message.body))
    .filter(
      (link) =>
        (filter.master === undefined || link.master === filter.master) &&
        (filter.kind === undefined || link.kind === filter.kind),
    )
}

/** `ip -d link show dev NAME`; undefined when there is none. */
export function getLink(netlink: Netlink, which: string | number): Link | undefined {
  try {
    const [reply] = netlink.request(getLinkRequest(which))
    if (reply === undefined) throw malformed(`no answer about link ${which}`)
    return decodeLink(reply.body)
  } catch (error) {
    if (error instanceof NetlinkError && error.code === 'ENODEV') return undefined
    throw error
  }
}

export function getLinkRequest(which: string | number): Request {
  return { type: RTM_GETLINK, flags: 0, body: encodeWhich(which), asked: `get link ${which}` }
}

/**
 * `ip link add NAME type KIND ...`, then what the kernel does not take at creation (alias, address generation mode, port
 * options), then up. Returns the link as it is then; takes it away again when a later step is refused.
 *
 * `group` is in force from the first moment, the alias from the second on: a process that dies in between leaves a link
 * with the group and without the alias.
 *
 * Throws NetlinkError: EEXIST when the name is taken.
 */
export function addLink(netlink: Netlink, spec: LinkSpec): Link {
  const fd = spec.peer?.netns === undefined ? undefined : openSync(spec.peer.netns, 'r')
  try {
    netlink.request(newLinkRequest({ ...spec, up: undefined }, fd))
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
  const made = getLink(netlink, spec.name)
  if (made === undefined) throw new NetlinkError(ENODEV, { asked: `add link ${spec.name}` })
  const { alias, addrGenMode, bridgePort, up } = spec
  try {
    changeLink(netlink, made.index, { alias, addrGenMode, bridgePort, up: up === true ? true : undefined })
  } catch (error) {
    deleteLink(netlink, made.index)
    throw error
  }
  return getLink(netlink, made.index) ?? made
}

/**
 * Makes a link with all that the kernel takes at creation: not the alias, the address generation mode and the options of
 * a bridge's port. `peerNetns` is an open descriptor of the namespace of a veth's other end.
 */
export function newLinkRequest(spec: LinkSpec, peerNetns?: number): Request {
  const body = encodeLink(spec, peerNetns)
  return { type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body, asked: `add link ${spec.name}` }
}

/**
 * `ip link set dev NAME ...`; down comes first, up last. Throws NetlinkError: ENODEV when it is not there.
 */
export function changeLink(netlink: Netlink, index: number, change: LinkChange): void {
  for (const request of linkChangeRequests(index, change)) netlink.request(request)
}

/**
 * The messages of a change, as few as do it. In one message the kernel takes a port's options first, while the master is
 * still the old one, then up, and only then the master and the address generation mode (__rtnl_newlink, do_setlink); a
 * link that comes up makes its link-local address as the mode says at that moment. Down goes first, so that what can be
 * changed of a link that is down can be changed.
 */
export function linkChangeRequests(index: number, change: LinkChange): Request[] {
  const { up, bridgePort, ...attributes } = change
  const parts: LinkChange[] = []
  if (up === false) parts.push({ up })
  if (Object.values(attributes).some((value) => value !== undefined)) parts.push(attributes)
  if (bridgePort !== undefined) {
    if (attributes.master === undefined && parts.at(-1) === attributes)
      parts.splice(-1, 1, { ...attributes, bridgePort })
    else parts.push({ bridgePort })
  }
  if (up === true) {
    const last = parts.pop() ?? {}
    if (last.master === undefined && last.addrGenMode === undefined) parts.push({ ...last, up })
    else parts.push(last, { up })
  }
  const asked = `change link ${change.name ?? index}`
  return parts.map((part) => ({ type: RTM_NEWLINK, flags: 0, body: encodeChange(index, part), asked }))
}

/**
 * `ip link set dev NAME netns PATH [name NEW]`: its addresses and routes are lost, and it comes down.
 *
 * It keeps its number when that is free there, otherwise it gets another; `newIndex` asks for one (EBUSY when taken).
 */
export function moveLink(netlink: Netlink, index: number, netns: string, name?: string, newIndex?: number): void {
  const fd = openSync(netns, 'r')
  try {
    const body = encodeMove(index, fd, name, newIndex)
    netlink.request({ type: RTM_NEWLINK, flags: 0, body, asked: `move link ${index} to ${netns}` })
  } finally {
    closeSync(fd)
  }
}

/** `ip link del dev NAME`. Throws NetlinkError: ENODEV when it is not there. */
export function deleteLink(netlink: Netlink, index: number): void {
  netlink.request(deleteLinkRequest(index))
}

export function deleteLinkRequest(index: number): Request {
  return { type: RTM_DELLINK, flags: 0, body: encodeIndex(index), asked: `delete link ${index}` }
}

/** `ip link del group N`: all of a group at once, which waits for the kernel once instead of once a link. */
export function deleteLinkGroup(netlink: Netlink, group: number): void {
  netlink.request(deleteLinkGroupRequest(group))
}

export function deleteLinkGroupRequest(group: number): Request {
  return { type: RTM_DELLINK, flags: 0, body: encodeGroup(group), asked: `delete link group ${group}` }
}

const ENODEV = 19
