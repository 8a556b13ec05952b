/** Forwarding database of bridges and VXLAN devices: `bridge fdb` (struct ndmsg of family AF_BRIDGE, NDA_*). */
import { Attributes, MessageWriter } from './attributes.ts'
import { AF_BRIDGE, ipBytes, ipText, macBytes, macText } from './inet.ts'
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './message.ts'
import type { Request } from './message.ts'
import { malformed } from './netlink-error.ts'
import {
  NDA_DST,
  NDA_LLADDR,
  NDA_PROTOCOL,
  NDMSG_BYTES,
  NTF_EXT_LEARNED,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from './neighbour.ts'
import type { Netlink } from './netlink.ts'

const NDA_VLAN = 5
const NDA_PORT = 6
const NDA_VNI = 7
const NDA_IFINDEX = 8
const NDA_MASTER = 9
const NDA_SRC_VNI = 11
const NDA_NH_ID = 13

const NTF_SELF = 0x02
const NTF_MASTER = 0x04
const NTF_STICKY = 0x40
const NUD_REACHABLE = 0x02
const NUD_STALE = 0x04
const NUD_NOARP = 0x40
const NUD_PERMANENT = 0x80

/** `permanent`: the device's own, never forwarded; `static`: does not age; `dynamic`: learnt, ages. */
export type FdbState = 'permanent' | 'static' | 'dynamic' | 'stale'

export interface FdbSpec {
  /** Index of the bridge port or the VXLAN device. */
  readonly link: number
  /** 00:00:00:00:00:00 of a VXLAN device: where unknown traffic goes. */
  readonly mac: string
  /** `self`: the device's own table (VXLAN: which VTEP); `master`: the bridge's (which port). */
  readonly table: 'self' | 'master'
  /** @default 'permanent' */
  readonly state?: FdbState | undefined
  readonly vlan?: number | undefined
  /** Remote VTEP. */
  readonly remote?: string | undefined
  readonly vni?: number | undefined
  /** The VNI it is for, on an `external` VXLAN device. */
  readonly sourceVni?: number | undefined
  /** UDP port of the remote VTEP. */
  readonly port?: number | undefined
  /** Index of the link towards the remote VTEP. */
  readonly via?: number | undefined
  /** Nexthop group of VTEPs (EVPN multihoming). */
  readonly nexthopId?: number | undefined
  readonly externLearned?: boolean | undefined
  readonly sticky?: boolean | undefined
  /** RTPROT_*. */
  readonly protocol?: number | undefined
}

/** An entry as the kernel describes it. */
export interface FdbEntry extends FdbSpec {
  readonly state: FdbState
  /** Index of the bridge. */
  readonly master?: number | undefined
}

/** Kernel-side filters. */
export interface FdbFilter {
  readonly link?: number | undefined
  /** Index of the bridge. */
  readonly master?: number | undefined
}

/** `bridge fdb show [dev L] [br M]` */
export function listFdb(netlink: Netlink, filter: FdbFilter = {}): FdbEntry[] {
  const writer = new MessageWriter()
  const head = writer.struct(NDMSG_BYTES)
  head.writeUInt8(AF_BRIDGE, 0)
  head.writeInt32LE(filter.link ?? 0, 4)
  writer.u32(NDA_MASTER, filter.master)
  return netlink
    .dump({ type: RTM_GETNEIGH, flags: 0, body: writer.finish(), asked: 'list forwarding entries' })
    .filter((message) => message.type === RTM_NEWNEIGH && message.body[0] === AF_BRIDGE)
    .map((message) => decodeFdb(message.body))
    .filter((entry) => filter.link === undefined || entry.link === filter.link)
}

/** `bridge fdb add MAC dev L ...`. Throws NetlinkError: EEXIST when it is there. */
export function addFdb(netlink: Netlink, spec: FdbSpec): void {
  netlink.request(request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, spec, 'add'))
}

/** `bridge fdb append MAC dev L dst VTEP`: one more remote for the same MAC (flooding to several VTEPs). */
export function appendFdb(netlink: Netlink, spec: FdbSpec): void {
  netlink.request(request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND, spec, 'append'))
}

/** `bridge fdb replace MAC dev L ...` */
export function replaceFdb(netlink: Netlink, spec: FdbSpec): void {
  netlink.request(replaceFdbRequest(spec))
}

export function replaceFdbRequest(spec: FdbSpec): Request {
  return request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, spec, 'set')
}

/** `bridge fdb del MAC dev L ...`. Throws NetlinkError: ENOENT when it is not there. */
export function deleteFdb(netlink: Netlink, spec: FdbSpec): void {
  netlink.request(deleteFdbRequest(spec))
}

export function deleteFdbRequest(spec: FdbSpec): Request {
  return request(RTM_DELNEIGH, 0, spec, 'delete')
}

function request(type: number, flags: number, spec: FdbSpec, verb: string): Request {
  return { type, flags, body: encodeFdb(spec), asked: `${verb} forwarding entry ${spec.mac}` }
}

/** As iproute2 sends them: a bridge looks at one bit, a VXLAN device at the other. */
const STATES = {
  permanent: NUD_PERMANENT | NUD_NOARP,
  static: NUD_NOARP | NUD_REACHABLE,
  dynamic: NUD_REACHABLE,
  stale: NUD_STALE,
} as const

export function encodeFdb(spec: FdbSpec): Buffer {
  const writer = new MessageWriter()
  const head = writer.struct(NDMSG_BYTES)
  head.writeUInt8(AF_BRIDGE, 0)
  head.writeInt32LE(spec.link, 4)
  head.writeUInt16LE(STATES[spec.state ?? 'permanent'], 8)
  head.writeUInt8(
    (spec.table === 'self' ? NTF_SELF : NTF_MASTER) |
      (spec.externLearned === true ? NTF_EXT_LEARNED : 0) |
      (spec.sticky === true ? NTF_STICKY : 0),
    10,
  )
  return writer
    .bytes(NDA_LLADDR, macBytes(spec.mac))
    .bytes(NDA_DST, spec.remote === undefined ? undefined : ipBytes(spec.remote))
    .u16(NDA_VLAN, spec.vlan)
    .u16be(NDA_PORT, spec.port)
    .u32(NDA_VNI, spec.vni)
    .u32(NDA_SRC_VNI, spec.sourceVni)
    .u32(NDA_IFINDEX, spec.via)
    .u32(NDA_NH_ID, spec.nexthopId)
    .u8(NDA_PROTOCOL, spec.protocol)
    .finish()
}

/** Reads an RTM_NEWNEIGH or RTM_DELNEIGH message of family AF_BRIDGE. Throws NetlinkError EBADMSG. */
export function decodeFdb(body: Buffer): FdbEntry {
  if (body.length < NDMSG_BYTES) throw malformed(`forwarding entry of ${body.length} bytes`)
  const attributes = Attributes.parse(body, NDMSG_BYTES)
  const mac = attributes.bytes(NDA_LLADDR)
  const remote = attributes.bytes(NDA_DST)
  const state = body.readUInt16LE(8)
  const flags = body.readUInt8(10)
  return {
    link: body.readInt32LE(4),
    mac: mac === undefined ? '' : macText(mac),
    table: flags & NTF_SELF ? 'self' : 'master',
    state: state & NUD_PERMANENT ? 'permanent' : state & NUD_NOARP ? 'static' : state & NUD_STALE ? 'stale' : 'dynamic',
    vlan: attributes.u16(NDA_VLAN),
    remote: remote === undefined ? undefined : ipText(remote),
    vni: attributes.u32(NDA_VNI),
    sourceVni: attributes.u32(NDA_SRC_VNI),
    port: attributes.u16be(NDA_PORT),
    via: attributes.u32(NDA_IFINDEX),
    nexthopId: attributes.u32(NDA_NH_ID),
    externLearned: (flags & NTF_EXT_LEARNED) !== 0,
    sticky: (flags & NTF_STICKY) !== 0,
    protocol: attributes.u8(NDA_PROTOCOL),
    master: attributes.u32(NDA_MASTER),
  }
}
