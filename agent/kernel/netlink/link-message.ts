/** Links as bytes (struct ifinfomsg, IFLA_*; include/uapi/linux/if_link.h). Pure. */
import { Attributes, MessageWriter } from './attributes.ts'
import { readBridgePort, writeBridgePort } from './bridge-port.ts'
import { AF_INET6, AF_UNSPEC, macBytes, macText } from './inet.ts'
import { readLinkData, writeLinkData } from './link-data.ts'
import type { AddrGenMode, Link, LinkChange, LinkFilter, LinkSpec, Operstate } from './link.ts'
import { malformed } from './netlink-error.ts'

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

const ADDR_GEN_MODES = ['eui64', 'none', 'stable-privacy', 'random'] as const satisfies readonly AddrGenMode[]
const OPERSTATES = [
  'unknown',
  'notpresent',
  'down',
  'lowerlayerdown',
  'testing',
  'dormant',
  'up',
] as const satisfies readonly Operstate[]

/** Which links to list, without their counters. */
export function encodeFilter({ master, kind }: LinkFilter): Buffer {
  const writer = new MessageWriter()
  writer.struct(IFINFOMSG_BYTES)
  writer.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS).u32(IFLA_MASTER, master)
  if (kind !== undefined) writer.nest(IFLA_LINKINFO, (info) => info.string(IFLA_INFO_KIND, kind))
  return writer.finish()
}

/** One link to read, without its counters. */
export function encodeWhich(which: string | number): Buffer {
  const writer = new MessageWriter()
  const head = writer.struct(IFINFOMSG_BYTES)
  if (typeof which === 'number') head.writeInt32LE(which, 4)
  else writer.string(IFLA_IFNAME, which)
  writer.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
  return writer.finish()
}

export function encodeIndex(index: number): Buffer {
  const writer = new MessageWriter()
  writer.struct(IFINFOMSG_BYTES).writeInt32LE(index, 4)
  return writer.finish()
}

export function encodeGroup(group: number): Buffer {
  const writer = new MessageWriter()
  writer.struct(IFINFOMSG_BYTES)
  return writer.u32(IFLA_GROUP, group).finish()
}

/** `netns` is an open descriptor of the namespace it goes to. */
export function encodeMove(index: number, netns: number, name?: string, newIndex?: number): Buffer {
  const writer = new MessageWriter()
  writer.struct(IFINFOMSG_BYTES).writeInt32LE(index, 4)
  return writer.u32(IFLA_NET_NS_FD, netns).string(IFLA_IFNAME, name).u32(IFLA_NEW_IFINDEX, newIndex).finish()
}

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
