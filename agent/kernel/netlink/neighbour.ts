/** Neighbour entries, ARP and ND: `ip neighbour` (struct ndmsg, NDA_*; include/uapi/linux/neighbour.h). */
import { isInet } from './address.ts'
import { Attributes, MessageWriter } from './attributes.ts'
import { AF_INET, AF_INET6, familyOf, ipBytes, ipText, macBytes, macText } from './inet.ts'
import type { Family } from './inet.ts'
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './message.ts'
import { malformed } from './netlink-error.ts'
import type { Netlink } from './netlink.ts'

export const RTM_NEWNEIGH = 28
export const RTM_DELNEIGH = 29
export const RTM_GETNEIGH = 30

export const NDMSG_BYTES = 12
export const NDA_DST = 1
export const NDA_LLADDR = 2
const NDA_IFINDEX = 8
const NDA_MASTER = 9
export const NDA_PROTOCOL = 12

export const NTF_PROXY = 0x08
export const NTF_EXT_LEARNED = 0x10
export const NTF_ROUTER = 0x80

/** NUD_*; an entry is in exactly one state. */
const STATES = {
  none: 0x00,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const

export type NeighbourState = keyof typeof STATES

export interface NeighbourSpec {
  /** Index of the link. */
  readonly link: number
  readonly address: string
  /** Absent while it is not resolved. */
  readonly mac?: string | undefined
  /** @default 'permanent' */
  readonly state?: NeighbourState | undefined
  /** Given by a control plane: the kernel does not age it (FRR's EVPN entries have it). */
  readonly externLearned?: boolean | undefined
  readonly router?: boolean | undefined
  /** Answers for the address (proxy ARP, proxy ND). */
  readonly proxy?: boolean | undefined
  /** RTPROT_*. */
  readonly protocol?: number | undefined
}

/** A neighbour as the kernel describes it. */
export interface Neighbour extends NeighbourSpec {
  readonly family: Family
  readonly state: NeighbourState
}

/** Kernel-side filters. */
export interface NeighbourFilter {
  readonly family?: Family | undefined
  readonly link?: number | undefined
  /** Index of the bridge or VRF. */
  readonly master?: number | undefined
}

/** `ip neighbour show [dev L] [vrf M] nud all` */
export function listNeighbours(netlink: Netlink, filter: NeighbourFilter = {}): Neighbour[] {
  const writer = new MessageWriter()
  writer.struct(NDMSG_BYTES).writeUInt8(filter.family ?? 0, 0)
  writer.u32(NDA_IFINDEX, filter.link).u32(NDA_MASTER, filter.master)
  return netlink
    .dump({ type: RTM_GETNEIGH, flags: 0, body: writer.finish(), asked: 'list neighbours' })
    .filter((message) => message.type === RTM_NEWNEIGH && isInet(message.body))
    .map((message) => decodeNeighbour(message.body))
    .filter((neighbour) => filter.link === undefined || neighbour.link === filter.link)
}

/** `ip neighbour add ADDRESS lladdr MAC dev L ...`. Throws NetlinkError: EEXIST when it is there. */
export function addNeighbour(netlink: Netlink, spec: NeighbourSpec): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL
  netlink.request({ type: RTM_NEWNEIGH, flags, body: encodeNeighbour(spec), asked: `add neighbour ${spec.address}` })
}

/** `ip neighbour replace ADDRESS lladdr MAC dev L ...` */
export function replaceNeighbour(netlink: Netlink, spec: NeighbourSpec): void {
  const flags = NLM_F_CREATE | NLM_F_REPLACE
  netlink.request({ type: RTM_NEWNEIGH, flags, body: encodeNeighbour(spec), asked: `set neighbour ${spec.address}` })
}

/** `ip neighbour del ADDRESS dev L`. Throws NetlinkError: ENOENT when it is not there. */
export function deleteNeighbour(netlink: Netlink, spec: Pick<NeighbourSpec, 'link' | 'address' | 'proxy'>): void {
  const { link, address, proxy } = spec
  const body = encodeNeighbour({ link, address, proxy, state: 'none' })
  netlink.request({ type: RTM_DELNEIGH, flags: 0, body, asked: `delete neighbour ${address}` })
}

export function encodeNeighbour(spec: NeighbourSpec): Buffer {
  const writer = new MessageWriter()
  const head = writer.struct(NDMSG_BYTES)
  head.writeUInt8(familyOf(spec.address), 0)
  head.writeInt32LE(spec.link, 4)
  head.writeUInt16LE(STATES[spec.state ?? 'permanent'], 8)
  head.writeUInt8(
    (spec.externLearned === true ? NTF_EXT_LEARNED : 0) |
      (spec.router === true ? NTF_ROUTER : 0) |
      (spec.proxy === true ? NTF_PROXY : 0),
    10,
  )
  return writer
    .bytes(NDA_DST, ipBytes(spec.address))
    .bytes(NDA_LLADDR, spec.mac === undefined ? undefined : macBytes(spec.mac))
    .u8(NDA_PROTOCOL, spec.protocol)
    .finish()
}

/** Reads an RTM_NEWNEIGH or RTM_DELNEIGH message of family AF_INET or AF_INET6. Throws NetlinkError EBADMSG. */
export function decodeNeighbour(body: Buffer): Neighbour {
  if (body.length < NDMSG_BYTES) throw malformed(`neighbour message of ${body.length} bytes`)
  const family = body.readUInt8(0)
  if (family !== AF_INET && family !== AF_INET6) throw malformed(`neighbour of family ${family}`)
  const attributes = Attributes.parse(body, NDMSG_BYTES)
  const address = attributes.bytes(NDA_DST)
  if (address === undefined) throw malformed('neighbour message without an address')
  const mac = attributes.bytes(NDA_LLADDR)
  const state = body.readUInt16LE(8)
  const flags = body.readUInt8(10)
  return {
    family,
    link: body.readInt32LE(4),
    address: ipText(address),
    mac: mac === undefined || mac.length === 0 ? undefined : macText(mac),
    state: (Object.keys(STATES) as NeighbourState[]).find((name) => STATES[name] === state) ?? 'none',
    externLearned: (flags & NTF_EXT_LEARNED) !== 0,
    router: (flags & NTF_ROUTER) !== 0,
    proxy: (flags & NTF_PROXY) !== 0,
    protocol: attributes.u8(NDA_PROTOCOL),
  }
}
