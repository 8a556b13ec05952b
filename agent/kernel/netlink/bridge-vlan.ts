/** VLANs of bridge ports and their tunnels: `bridge vlan` (family AF_BRIDGE; include/uapi/linux/if_bridge.h). */
import { Attributes, MessageWriter } from './attributes.ts'
import { readBridgePort, type BridgePort } from './bridge-port.ts'
import { AF_BRIDGE } from './inet.ts'
import { IFINFOMSG_BYTES, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK } from './link-message.ts'
import type { Message, Request } from './message.ts'
import { malformed } from './netlink-error.ts'
import type { Netlink } from './netlink.ts'

const RTM_SETLINK = 19
const IFLA_PROTINFO = 12
const IFLA_AF_SPEC = 26
const IFLA_EXT_MASK = 29
const RTEXT_FILTER_BRVLAN_COMPRESSED = 4
const IFLA_BRIDGE_FLAGS = 0
const IFLA_BRIDGE_VLAN_INFO = 2
const IFLA_BRIDGE_VLAN_TUNNEL_INFO = 3
const IFLA_BRIDGE_VLAN_TUNNEL_ID = 1
const IFLA_BRIDGE_VLAN_TUNNEL_VID = 2
const IFLA_BRIDGE_VLAN_TUNNEL_FLAGS = 3
const BRIDGE_FLAGS_SELF = 2
const BRIDGE_VLAN_INFO_PVID = 2
const BRIDGE_VLAN_INFO_UNTAGGED = 4
const RANGE_BEGIN = 8
const RANGE_END = 16

/** VLANs `vid` to `last`, treated alike. */
export interface VlanRange {
  readonly vid: number
  /** Absent: one VLAN. */
  readonly last?: number | undefined
  /** Untagged packets that come in belong to it; one VLAN a port. */
  readonly pvid?: boolean | undefined
  /** Leaves untagged. */
  readonly untagged?: boolean | undefined
}

/** VLAN `vid` is VNI `vni`, `vid + 1` is `vni + 1`, up to `last`. The port needs `vlanTunnel`. */
export interface TunnelRange {
  readonly vid: number
  /** Absent: one VLAN. */
  readonly last?: number | undefined
  readonly vni: number
}

export interface BridgeVlans {
  readonly vlans: readonly VlanRange[]
  readonly tunnels: readonly TunnelRange[]
}

export interface PortVlans extends BridgeVlans {
  /** Index of the port, or of the bridge itself. */
  readonly link: number
}

/** `bridge -compressvlans vlan show` and `vlan tunnelshow`: one entry a bridge and a port. */
export function listBridgeVlans(netlink: Netlink, filter: { link?: number } = {}): PortVlans[] {
  const writer = new MessageWriter()
  writer.struct(IFINFOMSG_BYTES).writeUInt8(AF_BRIDGE, 0)
  writer.u32(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED)
  return netlink
    .dump({ type: RTM_GETLINK, flags: 0, body: writer.finish(), asked: 'list bridge VLANs' })
    .filter((message: Message) => message.type === RTM_NEWLINK && message.body[0] === AF_BRIDGE)
    .map((message) => decodeBridgeVlans(message.body))
    .filter((port) => filter.link === undefined || port.link === filter.link)
}

/**
 * `bridge vlan add dev L vid A-B ...` and `bridge vlan add dev L vid A-B tunnel_info id C-D`; with `self` for the bridge
 * itself. What is there already gets the new flags.
 */
export function addBridgeVlans(netlink: Netlink, link: number, add: Partial<BridgeVlans>, self = false): void {
  netlink.request(addBridgeVlansRequest(link, add, self))
}

export function addBridgeVlansRequest(link: number, add: Partial<BridgeVlans>, self = false): Request {
  return { type: RTM_SETLINK, flags: 0, body: encodeBridgeVlans(link, add, self), asked: `add VLANs of link ${link}` }
}

/** `bridge vlan del dev L vid A-B [self]`; tunnels too. */
export function deleteBridgeVlans(netlink: Netlink, link: number, remove: Partial<BridgeVlans>, self = false): void {
  netlink.request(deleteBridgeVlansRequest(link, remove, self))
}

export function deleteBridgeVlansRequest(link: number, remove: Partial<BridgeVlans>, self = false): Request {
  const body = encodeBridgeVlans(link, remove, self)
  return { type: RTM_DELLINK, flags: 0, body, asked: `delete VLANs of link ${link}` }
}

export function encodeBridgeVlans(
  link: number,
  { vlans = [], tunnels = [] }: Partial<BridgeVlans>,
  self = false,
): Buffer {
  const writer = new MessageWriter()
  const head = writer.struct(IFINFOMSG_BYTES)
  head.writeUInt8(AF_BRIDGE, 0)
  head.writeInt32LE(link, 4)
  return writer
    .nest(IFLA_AF_SPEC, (spec) => {
      spec.u16(IFLA_BRIDGE_FLAGS, self ? BRIDGE_FLAGS_SELF : undefined)
      for (const range of vlans) {
        const flags =
          (range.pvid === true ? BRIDGE_VLAN_INFO_PVID : 0) | (range.untagged === true ? BRIDGE_VLAN_INFO_UNTAGGED : 0)
        for (const [vid, place] of ends(range)) spec.bytes(IFLA_BRIDGE_VLAN_INFO, vlanInfo(flags | place, vid))
      }
      for (const range of tunnels) {
        for (const [vid, place] of ends(range)) {
          spec.nest(IFLA_BRIDGE_VLAN_TUNNEL_INFO, (tunnel) =>
            tunnel
              .u32(IFLA_BRIDGE_VLAN_TUNNEL_ID, range.vni + vid - range.vid)
              .u16(IFLA_BRIDGE_VLAN_TUNNEL_VID, vid)
              .u16(IFLA_BRIDGE_VLAN_TUNNEL_FLAGS, place),
          )
        }
      }
    })
    .finish()
}

/** A range is sent as its two ends. */
function ends({ vid, last = vid }: { vid: number; last?: number | undefined }): [vid: number, place: number][] {
  return last === vid
    ? [[vid, 0]]
    : [
        [vid, RANGE_BEGIN],
        [last, RANGE_END],
      ]
}

/** struct bridge_vlan_info */
function vlanInfo(flags: number, vid: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt16LE(flags, 0)
  bytes.writeUInt16LE(vid, 2)
  return bytes
}

/** The options of a port, which is in an RTM_NEWLINK message of family AF_BRIDGE; undefined for a bridge itself. */
export function decodeBridgePort(body: Buffer): BridgePort | undefined {
  if (body.length < IFINFOMSG_BYTES) throw malformed(`bridge port message of ${body.length} bytes`)
  const port = Attributes.parse(body, IFINFOMSG_BYTES).nested(IFLA_PROTINFO)
  return port === undefined ? undefined : readBridgePort(port)
}

/** Reads an RTM_NEWLINK message of family AF_BRIDGE. Throws NetlinkError EBADMSG. */
export function decodeBridgeVlans(body: Buffer): PortVlans {
  if (body.length < IFINFOMSG_BYTES) throw malformed(`bridge port message of ${body.length} bytes`)
  const spec = Attributes.parse(body, IFINFOMSG_BYTES).nested(IFLA_AF_SPEC)
  const vlans: VlanRange[] = []
  const tunnels: TunnelRange[] = []
  let begun = 0
  for (const [type, payload] of spec?.entries ?? []) {
    if (type === IFLA_BRIDGE_VLAN_INFO) {
      if (payload.length < 4) throw malformed(`VLAN of ${payload.length} bytes`)
      const flags = payload.readUInt16LE(0)
      const vid = payload.readUInt16LE(2)
      const pvid = (flags & BRIDGE_VLAN_INFO_PVID) !== 0
      const untagged = (flags & BRIDGE_VLAN_INFO_UNTAGGED) !== 0
      if (flags & RANGE_BEGIN) begun = vid
      else vlans.push(flags & RANGE_END ? { vid: begun, last: vid, pvid, untagged } : { vid, pvid, untagged })
    } else if (type === IFLA_BRIDGE_VLAN_TUNNEL_INFO) {
      const tunnel = Attributes.parse(payload)
      const flags = tunnel.u16(IFLA_BRIDGE_VLAN_TUNNEL_FLAGS) ?? 0
      const vid = tunnel.u16(IFLA_BRIDGE_VLAN_TUNNEL_VID) ?? 0
      const vni = tunnel.u32(IFLA_BRIDGE_VLAN_TUNNEL_ID) ?? 0
      if (flags & RANGE_BEGIN) begun = vid
      else if (flags & RANGE_END) tunnels.push({ vid: begun, last: vid, vni: vni - (vid - begun) })
      else tunnels.push({ vid, vni })
    }
  }
  return { link: body.readInt32LE(4), vlans, tunnels }
}
