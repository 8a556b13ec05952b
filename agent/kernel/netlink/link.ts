/** Links: `ip link` (struct ifinfomsg, IFLA_*; include/uapi/linux/if_link.h, net/core/rtnetlink.c). */
import { closeSync, openSync } from 'node:fs'
import { Attributes, MessageWriter } from './attributes.ts'
import { readBridgePort, writeBridgePort } from './bridge-port.ts'
import type { BridgePort } from './bridge-port.ts'
import { AF_INET6, AF_UNSPEC, macBytes, macText } from './inet.ts'
import { readLinkData, writeLinkData } from './link-data.ts'
import type { LinkData } from './link-data.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from './message.ts'
import type { Request } from './message.ts'
import { malformed, NetlinkError } from './netlink-error.ts'
import type { Netlink } from './netlink.ts'

export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18

export const IFINFOMSG_BYTES = 16
const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINK = 5
const IFLA_MASTER = 10
const IFLA_TXQLEN = 13
const IFLA_OPERSTATE = 16
const IFLA_LINKINFO = 18
const IFLA_IFALIAS = 20
const IFLA_AF_SPEC = 26
const IFLA_GROUP = 27
const IFLA_NET_NS_FD = 28
const IFLA_EXT_MASK = 29
const IFLA_CARRIER = 33
const IFLA_LINK_NETNSID = 37
const IFLA_NEW_IFINDEX = 49
const IFLA_PERM_ADDRESS = 54
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const IFLA_INFO_SLAVE_KIND = 4
const IFLA_INFO_SLAVE_DATA = 5
const IFLA_INET6_ADDR_GEN_MODE = 8
const VETH_INFO_PEER = 1
const RTEXT_FILTER_SKIP_STATS = 8

export const IFF_UP = 0x1
export const IFF_LOOPBACK = 0x8

const ADDR_GEN_MODES = ['eui64', 'none', 'stable-privacy', 'random'] as const
const OPERSTATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const

export type AddrGenMode = (typeof ADDR_GEN_MODES)[number]
export type Operstate = (typeof OPERSTATES)[number]

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
  const writer = new MessageWriter()
  writer.struct(IFINFOMSG_BYTES)
  writer.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS).u32(IFLA_MASTER, filter.master)
  if (filter.kind !== undefined) writer.nest(IFLA_LINKINFO, (info) => info.string(IFLA_INFO_KIND, filter.kind))
  return netlink
    .dump({ type: RTM_GETLINK, flags: 0, body: writer.finish(), asked: 'list links' })
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
  const writer = new MessageWriter()
  const head = writer.struct(IFINFOMSG_BYTES)
  if (typeof which === 'number') head.writeInt32LE(which, 4)
  else writer.string(IFLA_IFNAME, which)
  writer.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
  return { type: RTM_GETLINK, flags: 0, body: writer.finish(), asked: `get link ${which}` }
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
    const writer = new MessageWriter()
    writer.struct(IFINFOMSG_BYTES).writeInt32LE(index, 4)
    writer.u32(IFLA_NET_NS_FD, fd).string(IFLA_IFNAME, name).u32(IFLA_NEW_IFINDEX, newIndex)
    netlink.request({ type: RTM_NEWLINK, flags: 0, body: writer.finish(), asked: `move link ${index} to ${netns}` })
  } finally {
    closeSync(fd)
  }
}

/** `ip link del dev NAME`. Throws NetlinkError: ENODEV when it is not there. */
export function deleteLink(netlink: Netlink, index: number): void {
  netlink.request(deleteLinkRequest(index))
}

export function deleteLinkRequest(index: number): Request {
  const writer = new MessageWriter()
  writer.struct(IFINFOMSG_BYTES).writeInt32LE(index, 4)
  return { type: RTM_DELLINK, flags: 0, body: writer.finish(), asked: `delete link ${index}` }
}

/** `ip link del group N`: all of a group at once, which waits for the kernel once instead of once a link. */
export function deleteLinkGroup(netlink: Netlink, group: number): void {
  netlink.request(deleteLinkGroupRequest(group))
}

export function deleteLinkGroupRequest(group: number): Request {
  const writer = new MessageWriter()
  writer.struct(IFINFOMSG_BYTES)
  writer.u32(IFLA_GROUP, group)
  return { type: RTM_DELLINK, flags: 0, body: writer.finish(), asked: `delete link group ${group}` }
}

const ENODEV = 19

/** rtnl_newlink_create: up comes before the master. */
export function encodeLink(spec: LinkSpec, peerNetns?: number): Buffer {
  const writer = new MessageWriter()
  writeFlags(writer.struct(IFINFOMSG_BYTES), spec.up)
  writeCommon(writer, { ...spec, alias: undefined, addrGenMode: undefined, bridgePort: undefined, data: undefined })
  writer.u32(IFLA_LINK, spec.parent)
  writer.nest(IFLA_LINKINFO, (info) => {
    info.string(IFLA_INFO_KIND, spec.data.kind).nest(IFLA_INFO_DATA, (data) => {
      writeLinkData(data, spec.data)
      const { peer } = spec
      if (peer === undefined) return
      data.nest(VETH_INFO_PEER, (other) => {
        other.struct(IFINFOMSG_BYTES)
        writeCommon(other, { name: peer.name, mtu: peer.mtu, mac: peer.mac, group: peer.group })
        other.u32(IFLA_NET_NS_FD, peerNetns)
      })
    })
  })
  return writer.finish()
}

export function encodeChange(index: number, change: LinkChange): Buffer {
  const writer = new MessageWriter()
  const head = writer.struct(IFINFOMSG_BYTES)
  head.writeInt32LE(index, 4)
  writeFlags(head, change.up)
  writeCommon(writer, change)
  return writer.finish()
}

function writeFlags(head: Buffer, up: boolean | undefined): void {
  if (up === undefined) return
  head.writeUInt32LE(up ? IFF_UP : 0, 8)
  head.writeUInt32LE(IFF_UP, 12)
}

function writeCommon(writer: MessageWriter, change: LinkChange): void {
  writer
    .string(IFLA_IFNAME, change.name)
    .u32(IFLA_MTU, change.mtu)
    .bytes(IFLA_ADDRESS, change.mac === undefined ? undefined : macBytes(change.mac))
    .u32(IFLA_MASTER, change.master)
    // No NUL at its end: an empty attribute is what removes an alias.
    .bytes(IFLA_IFALIAS, change.alias === undefined ? undefined : Buffer.from(change.alias))
    .u32(IFLA_GROUP, change.group)
    .u32(IFLA_TXQLEN, change.txQueueLength)
  const { addrGenMode, data, bridgePort } = change
  if (addrGenMode !== undefined) {
    writer.nest(IFLA_AF_SPEC, (spec) =>
      spec.nest(AF_INET6, (inet6) => inet6.u8(IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODES.indexOf(addrGenMode))),
    )
  }
  if (data === undefined && bridgePort === undefined) return
  writer.nest(IFLA_LINKINFO, (info) => {
    if (data !== undefined)
      info.string(IFLA_INFO_KIND, data.kind).nest(IFLA_INFO_DATA, (nest) => writeLinkData(nest, data))
    if (bridgePort === undefined) return
    info.string(IFLA_INFO_SLAVE_KIND, 'bridge').nest(IFLA_INFO_SLAVE_DATA, (nest) => writeBridgePort(nest, bridgePort))
  })
}

/** The name alone, for less than reading it all. Throws NetlinkError EBADMSG. */
export function nameIn(body: Buffer): string {
  // The kernel writes it first (rtnl_fill_ifinfo).
  const at = IFINFOMSG_BYTES + 4
  if (body.length > at && (body.readUInt16LE(at - 2) & 0x3fff) === IFLA_IFNAME) {
    const end = at - 4 + body.readUInt16LE(at - 4)
    if (end <= body.length) return body.toString('utf8', at, end - 1)
  }
  return Attributes.parse(body, IFINFOMSG_BYTES).string(IFLA_IFNAME) ?? ''
}

/** Reads an RTM_NEWLINK or RTM_DELLINK message of family AF_UNSPEC. Throws NetlinkError EBADMSG. */
export function decodeLink(body: Buffer): Link {
  if (body.length < IFINFOMSG_BYTES) throw malformed(`link message of ${body.length} bytes`)
  const flags = body.readUInt32LE(8)
  const attributes = Attributes.parse(body, IFINFOMSG_BYTES)
  const info = attributes.nested(IFLA_LINKINFO)
  const kind = info?.string(IFLA_INFO_KIND) ?? ''
  const data = readLinkData(kind, info?.nested(IFLA_INFO_DATA))
  const port = info?.string(IFLA_INFO_SLAVE_KIND) === 'bridge' ? info.nested(IFLA_INFO_SLAVE_DATA) : undefined
  // `ip_tunnel` kinds and InfiniBand have addresses of other lengths; an empty one is none.
  const hardware = (type: number): string | undefined => {
    const bytes = attributes.bytes(type)
    return bytes === undefined || bytes.length === 0 ? undefined : macText(bytes)
  }
  const parent = attributes.u32(IFLA_LINK)
  const mode = body.readUInt8(0) === AF_UNSPEC ? attributes.nested(IFLA_AF_SPEC)?.nested(AF_INET6) : undefined
  return {
    index: body.readInt32LE(4),
    name: attributes.string(IFLA_IFNAME) ?? '',
    // One text for all of a kind.
    kind: data?.kind ?? kind,
    data,
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    mac: hardware(IFLA_ADDRESS),
    permanentMac: hardware(IFLA_PERM_ADDRESS),
    master: attributes.u32(IFLA_MASTER),
    bridgePort: port === undefined ? undefined : readBridgePort(port),
    parent: parent === 0 ? undefined : parent,
    parentNetnsId: attributes.i32(IFLA_LINK_NETNSID),
    flags,
    up: (flags & IFF_UP) !== 0,
    operstate: OPERSTATES[attributes.u8(IFLA_OPERSTATE) ?? 0] ?? 'unknown',
    carrier: attributes.flag(IFLA_CARRIER) ?? false,
    alias: attributes.string(IFLA_IFALIAS),
    group: attributes.u32(IFLA_GROUP) ?? 0,
    txQueueLength: attributes.u32(IFLA_TXQLEN),
    addrGenMode: ADDR_GEN_MODES[mode?.u8(IFLA_INET6_ADDR_GEN_MODE) ?? -1],
  }
}
