/** Routes: `ip route`. */
import { isInet } from './address.ts'
import type { Family } from './inet.ts'
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './message.ts'
import type { Request } from './message.ts'
import { NetlinkError } from './netlink-error.ts'
import type { Netlink } from './netlink.ts'
import {
  decodeRoute,
  encodeRoute,
  encodeRouteFilter,
  isCloned,
  RT_SCOPE_NOWHERE,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from './route-message.ts'
import type { ROUTE_TYPES } from './route-message.ts'

export type RouteType = (typeof ROUTE_TYPES)[number]

export interface Nexthop {
  /** Of the route's family, or IPv6 for an IPv4 route (RFC 5549). */
  readonly gateway?: string | undefined
  /** Index of the link. */
  readonly link?: number | undefined
  /** The gateway is taken to be on the link, whatever the addresses say. */
  readonly onlink?: boolean | undefined
  /** 1 to 256. @default 1 */
  readonly weight?: number | undefined
}

export interface RouteSpec {
  /** Canonical prefix: `10.0.0.0/8`, `::/0`. */
  readonly destination: string
  /** @default 254 (main) */
  readonly table?: number | undefined
  /** @default 'unicast' */
  readonly type?: RouteType | undefined
  /** Absent: the kernel's default (0 for IPv4, 1024 for IPv6). */
  readonly metric?: number | undefined
  /** None for an unreachable or blackhole route, one, or several (multipath). @default [] */
  readonly nexthops?: readonly Nexthop[] | undefined
  /** Preferred source address. */
  readonly source?: string | undefined
  /** RTPROT_*: who made it. @default 4 (static) */
  readonly protocol?: number | undefined
  /** RT_SCOPE_*. Absent: what `ip route` would choose. */
  readonly scope?: number | undefined
  readonly mtu?: number | undefined
  readonly advertisedMss?: number | undefined
  readonly hopLimit?: number | undefined
  readonly initialWindow?: number | undefined
  /** Router preference (RFC 4191). IPv6. */
  readonly preference?: number | undefined
  /** Source prefix (IPv6 subtrees). */
  readonly from?: string | undefined
  /** Seconds; IPv6. */
  readonly expiresSeconds?: number | undefined
}

/** A route as the kernel describes it. */
export interface Route extends RouteSpec {
  readonly family: Family
  readonly table: number
  readonly type: RouteType
  readonly metric: number
  readonly nexthops: readonly Nexthop[]
  readonly protocol: number
  readonly scope: number
  /** Its nexthop object, whose content `nexthops` repeats. */
  readonly nexthopId?: number | undefined
}

export interface RouteFilter {
  readonly family?: Family | undefined
  readonly table?: number | undefined
  readonly protocol?: number | undefined
  /** Index of the link it leaves by. */
  readonly link?: number | undefined
}

/** `ip route show [table T] [proto P] [dev L]`, of all tables unless one is given; without cached clones. */
export function listRoutes(netlink: Netlink, filter: RouteFilter = {}): Route[] {
  try {
    return netlink
      .dump({ type: RTM_GETROUTE, flags: 0, body: encodeRouteFilter(filter), asked: 'list routes' })
      .filter((message) => message.type === RTM_NEWROUTE && isInet(message.body) && !isCloned(message.body))
      .map((message) => decodeRoute(message.body))
      .filter((route) => matches(route, filter))
  } catch (error) {
    // A table exists while it has routes.
    if (error instanceof NetlinkError && error.code === 'ENOENT' && filter.table !== undefined) return []
    throw error
  }
}

/** `ip route add DESTINATION ...`. Throws NetlinkError: EEXIST, ENETUNREACH for a gateway that is not on a link. */
export function addRoute(netlink: Netlink, spec: RouteSpec): void {
  netlink.request(addRouteRequest(spec))
}

export function addRouteRequest(spec: RouteSpec): Request {
  const flags = NLM_F_CREATE | NLM_F_EXCL
  return { type: RTM_NEWROUTE, flags, body: encodeRoute(spec), asked: `add route ${spec.destination}` }
}

/** `ip route replace DESTINATION ...`: replaces the one of the same table, destination and metric. */
export function replaceRoute(netlink: Netlink, spec: RouteSpec): void {
  netlink.request(replaceRouteRequest(spec))
}

export function replaceRouteRequest(spec: RouteSpec): Request {
  const flags = NLM_F_CREATE | NLM_F_REPLACE
  return { type: RTM_NEWROUTE, flags, body: encodeRoute(spec), asked: `set route ${spec.destination}` }
}

/** `ip route del DESTINATION ...`: what is given must match. Throws NetlinkError: ESRCH when it is not there. */
export function deleteRoute(netlink: Netlink, spec: RouteSpec): void {
  netlink.request(deleteRouteRequest(spec))
}

export function deleteRouteRequest(spec: RouteSpec): Request {
  const body = encodeRoute({ ...spec, scope: spec.scope ?? RT_SCOPE_NOWHERE }, 0)
  return { type: RTM_DELROUTE, flags: 0, body, asked: `delete route ${spec.destination}` }
}

function matches(route: Route, filter: RouteFilter): boolean {
  return (
    (filter.table === undefined || route.table === filter.table) &&
    (filter.protocol === undefined || route.protocol === filter.protocol) &&
    (filter.link === undefined || route.nexthops.some((nexthop) => nexthop.link === filter.link))
  )
}
