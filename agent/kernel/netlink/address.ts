/** Addresses: `ip address` (struct ifaddrmsg, IFA_*; include/uapi/linux/if_addr.h). */
import { Attributes, MessageWriter } from './attributes.ts'
import { AF_INET, AF_INET6, ipBytes, ipText, parsePrefix } from './inet.ts'
import type { Family } from './inet.ts'
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './message.ts'
import type { Request } from './message.ts'
import { malformed } from './netlink-error.ts'
import type { Netlink } from './netlink.ts'

export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
const RTM_GETADDR = 22

const IFADDRMSG_BYTES = 8
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_LABEL = 3
const IFA_BROADCAST = 4
const IFA_CACHEINFO = 6
const IFA_FLAGS = 8
const IFA_RT_PRIORITY = 9
const IFA_PROTO = 11

const IFA_F_SECONDARY = 0x01
const IFA_F_NODAD = 0x02
const IFA_F_DADFAILED = 0x08
const IFA_F_DEPRECATED = 0x20
const IFA_F_TENTATIVE = 0x40
const IFA_F_PERMANENT = 0x80
const IFA_F_MANAGETEMPADDR = 0x100
const IFA_F_NOPREFIXROUTE = 0x200

export const LIFETIME_FOREVER = 0xffffffff

export interface AddressSpec {
  /** Index of the link. */
  readonly link: number
  /** Canonical text with prefix length, host bits kept: `192.169.10.1/24`. */
  readonly address: string
  /** Other end of a point-to-point link, without a prefix length (the address's own applies to it). */
  readonly peer?: string | undefined
  /** IPv4. */
  readonly broadcast?: string | undefined
  /** IPv4; must begin with the link's name. */
  readonly label?: string | undefined
  /** RT_SCOPE_*: 0 global, 253 link, 254 host. @default 0 */
  readonly scope?: number | undefined
  /** Makes no route for its prefix. */
  readonly noPrefixRoute?: boolean | undefined
  /** Skips duplicate address detection. IPv6. */
  readonly noDad?: boolean | undefined
  /** Base of temporary addresses (RFC 8981). IPv6. */
  readonly manageTemporary?: boolean | undefined
  /** Seconds; absent: forever. */
  readonly validSeconds?: number | undefined
  readonly preferredSeconds?: number | undefined
  /** Metric of its prefix route. */
  readonly metric?: number | undefined
  /** IFAPROT_*: who made it (kernel >= 5.18). */
  readonly protocol?: number | undefined
}

/** An address as the kernel describes it. */
export interface Address extends AddressSpec {
  readonly family: Family
  readonly scope: number
  /** IFA_F_*. */
  readonly flags: number
  /** Configured, or without an end to its lifetime; otherwise learnt from router advertisements or DHCP. */
  readonly permanent: boolean
  readonly secondary: boolean
  readonly tentative: boolean
  readonly dadFailed: boolean
  readonly deprecated: boolean
}

/** `ip address show [dev L]` */
export function listAddresses(netlink: Netlink, filter: { link?: number; family?: Family } = {}): Address[] {
  const writer = new MessageWriter()
  const head = writer.struct(IFADDRMSG_BYTES)
  head.writeUInt8(filter.family ?? 0, 0)
  head.writeUInt32LE(filter.link ?? 0, 4)
  return netlink
    .dump({ type: RTM_GETADDR, flags: 0, body: writer.finish(), asked: 'list addresses' })
    .filter((message) => message.type === RTM_NEWADDR && isInet(message.body))
    .map((message) => decodeAddress(message.body))
    .filter((address) => filter.link === undefined || address.link === filter.link)
}

/** `ip address add ADDRESS dev L ...`. Throws NetlinkError: EEXIST when it is there. */
export function addAddress(netlink: Netlink, spec: AddressSpec): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL
  netlink.request({ type: RTM_NEWADDR, flags, body: encodeAddress(spec), asked: `add address ${spec.address}` })
}

/**
 * `ip address replace ADDRESS dev L ...`: changes lifetimes and metric of one that is there, for IPv6 the flags too. The
 * kernel leaves the flags of an IPv4 address as they are: delete and add it.
 */
export function replaceAddress(netlink: Netlink, spec: AddressSpec): void {
  netlink.request(replaceAddressRequest(spec))
}

export function replaceAddressRequest(spec: AddressSpec): Request {
  const flags = NLM_F_CREATE | NLM_F_REPLACE
  return { type: RTM_NEWADDR, flags, body: encodeAddress(spec), asked: `set address ${spec.address}` }
}

/** `ip address del ADDRESS dev L`. Throws NetlinkError: EADDRNOTAVAIL when it is not there. */
export function deleteAddress(netlink: Netlink, spec: Pick<AddressSpec, 'link' | 'address' | 'peer'>): void {
  netlink.request(deleteAddressRequest(spec))
}

export function deleteAddressRequest({ link, address, peer }: Pick<AddressSpec, 'link' | 'address' | 'peer'>): Request {
  const body = encodeAddress({ link, address, peer })
  return { type: RTM_DELADDR, flags: 0, body, asked: `delete address ${address}` }
}

export function encodeAddress(spec: AddressSpec): Buffer {
  const { family, bytes, length } = parsePrefix(spec.address)
  const flags =
    (spec.noPrefixRoute === true ? IFA_F_NOPREFIXROUTE : 0) |
    (spec.noDad === true ? IFA_F_NODAD : 0) |
    (spec.manageTemporary === true ? IFA_F_MANAGETEMPADDR : 0)
  const writer = new MessageWriter()
  const head = writer.struct(IFADDRMSG_BYTES)
  head.writeUInt8(family, 0)
  head.writeUInt8(length, 1)
  head.writeUInt8(flags & 0xff, 2)
  head.writeUInt8(spec.scope ?? 0, 3)
  head.writeUInt32LE(spec.link, 4)
  writer
    .bytes(IFA_LOCAL, bytes)
    .bytes(IFA_ADDRESS, spec.peer === undefined ? bytes : ipBytes(spec.peer))
    .bytes(IFA_BROADCAST, spec.broadcast === undefined ? undefined : ipBytes(spec.broadcast))
    .string(IFA_LABEL, spec.label)
    .u32(IFA_FLAGS, flags)
    .u32(IFA_RT_PRIORITY, spec.metric)
    .u8(IFA_PROTO, spec.protocol)
  if (spec.validSeconds !== undefined || spec.preferredSeconds !== undefined) {
    const cacheinfo = Buffer.alloc(16)
    cacheinfo.writeUInt32LE(spec.preferredSeconds ?? spec.validSeconds ?? LIFETIME_FOREVER, 0)
    cacheinfo.writeUInt32LE(spec.validSeconds ?? LIFETIME_FOREVER, 4)
    writer.bytes(IFA_CACHEINFO, cacheinfo)
  }
  return writer.finish()
}

/** Reads an RTM_NEWADDR or RTM_DELADDR message. Throws NetlinkError EBADMSG. */
export function decodeAddress(body: Buffer): Address {
  if (body.length < IFADDRMSG_BYTES) throw malformed(`address message of ${body.length} bytes`)
  const family = body.readUInt8(0)
  if (family !== AF_INET && family !== AF_INET6) throw malformed(`address of family ${family}`)
  const attributes = Attributes.parse(body, IFADDRMSG_BYTES)
  const flags = attributes.u32(IFA_FLAGS) ?? body.readUInt8(2)
  const ip = (type: number): string | undefined => {
    const bytes = attributes.bytes(type)
    return bytes === undefined ? undefined : ipText(bytes)
  }
  // For a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL the address; IPv6 has IFA_LOCAL only then.
  const far = ip(IFA_ADDRESS)
  const own = ip(IFA_LOCAL) ?? far
  if (own === undefined) throw malformed('address message without an address')
  const cacheinfo = attributes.bytes(IFA_CACHEINFO, 8)
  const lifetime = (offset: number): number | undefined => {
    const seconds = cacheinfo?.readUInt32LE(offset)
    return seconds === LIFETIME_FOREVER ? undefined : seconds
  }
  return {
    link: body.readUInt32LE(4),
    address: `${own}/${body.readUInt8(1)}`,
    family,
    peer: far === own ? undefined : far,
    broadcast: ip(IFA_BROADCAST),
    label: attributes.string(IFA_LABEL),
    scope: body.readUInt8(3),
    flags,
    noPrefixRoute: (flags & IFA_F_NOPREFIXROUTE) !== 0,
    noDad: (flags & IFA_F_NODAD) !== 0,
    manageTemporary: (flags & IFA_F_MANAGETEMPADDR) !== 0,
    permanent: (flags & IFA_F_PERMANENT) !== 0,
    secondary: (flags & IFA_F_SECONDARY) !== 0,
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    dadFailed: (flags & IFA_F_DADFAILED) !== 0,
    deprecated: (flags & IFA_F_DEPRECATED) !== 0,
    preferredSeconds: lifetime(0),
    validSeconds: lifetime(4),
    metric: attributes.u32(IFA_RT_PRIORITY),
    protocol: attributes.u8(IFA_PROTO),
  }
}

export function isInet(body: Buffer): boolean {
  return body[0] === AF_INET || body[0] === AF_INET6
}
