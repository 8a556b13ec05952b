/** Routes as bytes (struct rtmsg, RTA_*; include/uapi/linux/rtnetlink.h). Pure. */
import { Attributes, MessageWriter } from './attributes.ts'
import { AF_INET, AF_INET6, anyAddress, familyOf, ipBytes, ipText, parsePrefix } from './inet.ts'
import type { Family } from './inet.ts'
import { malformed } from './netlink-error.ts'
import type { Nexthop, Route, RouteFilter, RouteSpec, RouteType } from './route.ts'

export const RTM_NEWROUTE = 24
export const RTM_DELROUTE = 25
export const RTM_GETROUTE = 26

const RTMSG_BYTES = 12
const RTA_DST = 1
const RTA_SRC = 2
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PRIORITY = 6
const RTA_PREFSRC = 7
const RTA_METRICS = 8
const RTA_MULTIPATH = 9
const RTA_TABLE = 15
const RTA_VIA = 18
const RTA_PREF = 20
const RTA_EXPIRES = 23
const RTA_NH_ID = 30
const RTAX_MTU = 2
const RTAX_ADVMSS = 8
const RTAX_HOPLIMIT = 10
const RTAX_INITCWND = 11

const RTM_F_CLONED = 0x200
export const RTNH_F_ONLINK = 4

export const RT_TABLE_MAIN = 254
export const RT_TABLE_LOCAL = 255
export const RTPROT_KERNEL = 2
export const RTPROT_STATIC = 4
export const RTPROT_RA = 9
export const RT_SCOPE_UNIVERSE = 0
export const RT_SCOPE_LINK = 253
export const RT_SCOPE_NOWHERE = 255

/** In the order of RTN_*. */
export const ROUTE_TYPES = [
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
] as const

/** The kernel gives the IPv6 ones `lo` as their link; it means nothing. */
const LEADS_NOWHERE: ReadonlySet<RouteType> = new Set(['blackhole', 'unreachable', 'prohibit', 'throw'])

/** Which routes to list; family, protocol, table and link are asked of the kernel. */
export function encodeRouteFilter({ family, protocol, table, link }: RouteFilter): Buffer {
  const writer = new MessageWriter()
  const head = writer.struct(RTMSG_BYTES)
  head.writeUInt8(family ?? 0, 0)
  head.writeUInt8(protocol ?? 0, 5)
  return writer.u32(RTA_TABLE, table).u32(RTA_OIF, link).finish()
}

export function encodeRoute(spec: RouteSpec, protocol = RTPROT_STATIC): Buffer {
  const { family, bytes, length } = parsePrefix(spec.destination)
  const table = spec.table ?? RT_TABLE_MAIN
  const nexthops = spec.nexthops ?? []
  const [only] = nexthops
  const from = spec.from === undefined ? undefined : parsePrefix(spec.from)
  const writer = new MessageWriter()
  const head = writer.struct(RTMSG_BYTES)
  head.writeUInt8(family, 0)
  head.writeUInt8(length, 1)
  head.writeUInt8(from?.length ?? 0, 2)
  head.writeUInt8(table < 256 ? table : 0, 4)
  head.writeUInt8(spec.protocol ?? protocol, 5)
  head.writeUInt8(spec.scope ?? defaultScope(spec, family), 6)
  head.writeUInt8(ROUTE_TYPES.indexOf(spec.type ?? 'unicast'), 7)
  head.writeUInt32LE(nexthops.length === 1 && only?.onlink === true ? RTNH_F_ONLINK : 0, 8)
  if (length > 0) writer.bytes(RTA_DST, bytes)
  writer
    .bytes(RTA_SRC, from?.bytes)
    .u32(RTA_TABLE, table)
    .u32(RTA_PRIORITY, spec.metric)
    .bytes(RTA_PREFSRC, spec.source === undefined ? undefined : ipBytes(spec.source))
    .u8(RTA_PREF, spec.preference)
    .u32(RTA_EXPIRES, spec.expiresSeconds)
  if (nexthops.length === 1 && only !== undefined) {
    writer.u32(RTA_OIF, only.link)
    writeGateway(writer, family, only.gateway)
  } else if (nexthops.length > 1) {
    writer.nest(RTA_MULTIPATH, (nest) => nexthops.forEach((nexthop) => writeNexthop(nest, family, nexthop)))
  }
  const metrics = [spec.mtu, spec.advertisedMss, spec.hopLimit, spec.initialWindow]
  if (metrics.some((metric) => metric !== undefined)) {
    writer.nest(RTA_METRICS, (nest) =>
      nest
        .u32(RTAX_MTU, spec.mtu)
        .u32(RTAX_ADVMSS, spec.advertisedMss)
        .u32(RTAX_HOPLIMIT, spec.hopLimit)
        .u32(RTAX_INITCWND, spec.initialWindow),
    )
  }
  return writer.finish()
}

/** iproute2's rule: local routes have host scope, an IPv4 route without a gateway link scope. */
function defaultScope(spec: RouteSpec, family: Family): number {
  if (family === AF_INET6) return RT_SCOPE_UNIVERSE
  const type = spec.type ?? 'unicast'
  if (type === 'local') return 254
  const direct = type === 'unicast' && (spec.nexthops ?? []).every((nexthop) => nexthop.gateway === undefined)
  return direct || type === 'broadcast' || type === 'multicast' || type === 'anycast'
    ? RT_SCOPE_LINK
    : RT_SCOPE_UNIVERSE
}

function writeGateway(writer: MessageWriter, family: Family, gateway: string | undefined): void {
  if (gateway === undefined) return
  const bytes = ipBytes(gateway)
  if (familyOf(gateway) === family) {
    writer.bytes(RTA_GATEWAY, bytes)
    return
  }
  // struct rtvia: family, then the address.
  writer.bytes(RTA_VIA, Buffer.concat([Buffer.from([familyOf(gateway), 0]), bytes]))
}

/** struct rtnexthop: length, flags, weight - 1, link; then attributes. */
function writeNexthop(writer: MessageWriter, family: Family, nexthop: Nexthop): void {
  const inner = new MessageWriter()
  inner.struct(8)
  writeGateway(inner, family, nexthop.gateway)
  const bytes = inner.finish()
  bytes.writeUInt16LE(bytes.length, 0)
  bytes.writeUInt8(nexthop.onlink === true ? RTNH_F_ONLINK : 0, 2)
  bytes.writeUInt8((nexthop.weight ?? 1) - 1, 3)
  bytes.writeInt32LE(nexthop.link ?? 0, 4)
  writer.struct(bytes.length).set(bytes)
}

/** Reads an RTM_NEWROUTE or RTM_DELROUTE message. Throws NetlinkError EBADMSG. */
export function decodeRoute(body: Buffer): Route {
  if (body.length < RTMSG_BYTES) throw malformed(`route message of ${body.length} bytes`)
  const family = body.readUInt8(0)
  if (family !== AF_INET && family !== AF_INET6) throw malformed(`route of family ${family}`)
  const attributes = Attributes.parse(body, RTMSG_BYTES)
  const metrics = attributes.nested(RTA_METRICS)
  const prefix = (type: number, length: number): string => {
    const bytes = attributes.bytes(type)
    return `${bytes === undefined ? anyAddress(family) : ipText(bytes)}/${length}`
  }
  const source = attributes.bytes(RTA_PREFSRC)
  const from = body.readUInt8(2)
  const type = ROUTE_TYPES[body.readUInt8(7)] ?? 'unspec'
  return {
    family,
    destination: prefix(RTA_DST, body.readUInt8(1)),
    from: from === 0 ? undefined : prefix(RTA_SRC, from),
    table: attributes.u32(RTA_TABLE) ?? body.readUInt8(4),
    protocol: body.readUInt8(5),
    scope: body.readUInt8(6),
    type,
    metric: attributes.u32(RTA_PRIORITY) ?? 0,
    nexthops: readNexthops(attributes, type, body.readUInt32LE(8)),
    nexthopId: attributes.u32(RTA_NH_ID),
    source: source === undefined ? undefined : ipText(source),
    mtu: metrics?.u32(RTAX_MTU),
    advertisedMss: metrics?.u32(RTAX_ADVMSS),
    hopLimit: metrics?.u32(RTAX_HOPLIMIT),
    initialWindow: metrics?.u32(RTAX_INITCWND),
    preference: attributes.u8(RTA_PREF),
    expiresSeconds: attributes.u32(RTA_EXPIRES),
  }
}

/** What tells routes of no interest, for less than reading them. Throws NetlinkError EBADMSG. */
export function routeHead(body: Buffer): { family: number; length: number; protocol: number; cloned: boolean } {
  if (body.length < RTMSG_BYTES) throw malformed(`route message of ${body.length} bytes`)
  return {
    family: body.readUInt8(0),
    length: body.readUInt8(1),
    protocol: body.readUInt8(5),
    cloned: isCloned(body),
  }
}

function readNexthops(attributes: Attributes, type: RouteType, flags: number): Nexthop[] {
  const multipath = attributes.bytes(RTA_MULTIPATH)
  if (LEADS_NOWHERE.has(type)) return []
  if (multipath === undefined) {
    const link = attributes.u32(RTA_OIF)
    const gateway = readGateway(attributes)
    if (link === undefined && gateway === undefined) return []
    return [{ gateway, link, onlink: (flags & RTNH_F_ONLINK) !== 0, weight: 1 }]
  }
  const nexthops: Nexthop[] = []
  for (let offset = 0; multipath.length - offset >= 8;) {
    const length = multipath.readUInt16LE(offset)
    if (length < 8 || offset + length > multipath.length) throw malformed(`nexthop of length ${length}`)
    nexthops.push({
      gateway: readGateway(Attributes.parse(multipath, offset + 8, offset + length)),
      link: multipath.readInt32LE(offset + 4),
      onlink: ((multipath[offset + 2] ?? 0) & RTNH_F_ONLINK) !== 0,
      weight: (multipath[offset + 3] ?? 0) + 1,
    })
    offset += (length + 3) & ~3
  }
  return nexthops
}

function readGateway(attributes: Attributes): string | undefined {
  const gateway = attributes.bytes(RTA_GATEWAY) ?? attributes.bytes(RTA_VIA, 2)?.subarray(2)
  return gateway === undefined ? undefined : ipText(gateway)
}

export function isCloned(body: Buffer): boolean {
  return body.length >= RTMSG_BYTES && (body.readUInt32LE(8) & RTM_F_CLONED) !== 0
}
