/**
 * What changes in a namespace, as it changes: `ip monitor`.
 *
 * Events are hints to look again, never the only source: when the kernel had more than the socket could hold, or
 * something cannot be read, a `resync` says that anything may have changed.
 */
import { addon } from './addon.ts'
import type { WatchHandle } from './addon.ts'
import { decodeAddress, RTM_DELADDR, RTM_NEWADDR } from './address.ts'
import type { Address } from './address.ts'
import { decodeFdb } from './fdb.ts'
import type { FdbEntry } from './fdb.ts'
import { AF_BRIDGE, AF_INET, AF_INET6, AF_UNSPEC } from './inet.ts'
import { decodeLink, RTM_DELLINK, RTM_NEWLINK } from './link.ts'
import type { Link } from './link.ts'
import { messages } from './message.ts'
import type { Message } from './message.ts'
import { decodeNeighbour, RTM_DELNEIGH, RTM_NEWNEIGH } from './neighbour.ts'
import type { Neighbour } from './neighbour.ts'
import { NetlinkError } from './netlink-error.ts'
import { openSocket } from './netlink.ts'
import { decodeRoute, RTM_DELROUTE, RTM_NEWROUTE } from './route.ts'
import type { Route } from './route.ts'
import { decodeRule, RTM_DELRULE, RTM_NEWRULE } from './rule.ts'
import type { Rule } from './rule.ts'

type Change = 'new' | 'del'

export type NetlinkEvent =
  /** Anything may have changed. */
  | { readonly type: 'resync' }
  | { readonly type: 'link'; readonly change: Change; readonly object: Link }
  /** A port joined or left a bridge, or its options or VLANs changed; `link` is the port's index. */
  | { readonly type: 'bridgePort'; readonly change: Change; readonly link: number }
  | { readonly type: 'address'; readonly change: Change; readonly object: Address }
  | { readonly type: 'route'; readonly change: Change; readonly object: Route }
  | { readonly type: 'rule'; readonly change: Change; readonly object: Rule }
  | { readonly type: 'neighbour'; readonly change: Change; readonly object: Neighbour }
  | { readonly type: 'fdb'; readonly change: Change; readonly object: FdbEntry }

/** RTNLGRP_*. Forwarding entries come with the neighbours. */
const GROUPS = { link: [1], neighbour: [3], address: [5, 9], route: [7, 11], rule: [8, 19] } as const

export type EventGroup = keyof typeof GROUPS

export interface SubscribeOptions {
  readonly groups: readonly EventGroup[]
  /** Path of a named namespace; absent: the one this thread is in. */
  readonly netns?: string | undefined
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined
  /** What the kernel may hold for us, in bytes. @default 4 MiB */
  readonly receiveBuffer?: number | undefined
}

const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1
/** Datagrams read in one turn of the event loop; the rest waits for the next. */
const TURN = 256

/**
 * Calls `listener` with one or more events whenever something changed, until the signal aborts or the subscription is
 * disposed of; never after that. Keeps the process alive until then. What `listener` throws is an uncaught exception.
 *
 * Throws errors like node:fs does: ENOENT for a namespace that is not there.
 */
export function subscribe(options: SubscribeOptions, listener: (events: readonly NetlinkEvent[]) => void): Disposable {
  options.signal?.throwIfAborted()
  const fd = openSocket({ netns: options.netns })
  const buffer = Buffer.allocUnsafe(64 << 10)
  let open = true
  const close = (): void => {
    if (!open) return
    open = false
    options.signal?.removeEventListener('abort', close)
    addon().unwatch(watch)
    addon().closeSocket(fd)
  }
  const read = (): void => {
    const events: NetlinkEvent[] = []
    for (let turn = 0; turn < TURN; turn++) {
      const next = receive(fd, buffer)
      if (next === undefined) break
      events.push(...next)
    }
    if (events.length > 0 && open) listener(events)
  }
  let watch: WatchHandle
  try {
    addon().setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, options.receiveBuffer ?? 4 << 20)
    for (const group of options.groups.flatMap((name) => GROUPS[name])) {
      addon().setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    }
    watch = addon().watch(fd, read)
  } catch (error) {
    addon().closeSocket(fd)
    throw error
  }
  options.signal?.addEventListener('abort', close)
  return { [Symbol.dispose]: close }
}

const RESYNC: NetlinkEvent = { type: 'resync' }

/** The next datagram's events; undefined when there is none. */
function receive(fd: number, buffer: Buffer): NetlinkEvent[] | undefined {
  let length: number
  try {
    length = addon().receive(fd, buffer)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOBUFS') return [RESYNC]
    throw error
  }
  if (length === 0) return undefined
  return length > buffer.length ? [RESYNC] : decodeEvents(buffer.subarray(0, length))
}

/** The events of a datagram, messages of no interest left out; what cannot be read becomes a resync. */
export function decodeEvents(datagram: Buffer): NetlinkEvent[] {
  const events: NetlinkEvent[] = []
  try {
    for (const message of messages(datagram)) {
      const event = decodeEvent(message)
      if (event !== undefined) events.push(event)
    }
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
    events.push(RESYNC)
  }
  return events
}

function decodeEvent({ type, body }: Message): NetlinkEvent | undefined {
  const family = body[0]
  const inet = family === AF_INET || family === AF_INET6
  // rtnetlink numbers its messages in fours: NEW, DEL, GET, SET.
  const change = (type & 3) === 0 ? 'new' : 'del'
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (family === AF_UNSPEC) return { type: 'link', change, object: decodeLink(body) }
      if (family === AF_BRIDGE && body.length >= 8) return { type: 'bridgePort', change, link: body.readInt32LE(4) }
      return undefined
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return inet ? { type: 'address', change, object: decodeAddress(body) } : undefined
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return inet ? { type: 'route', change, object: decodeRoute(body) } : undefined
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return inet ? { type: 'rule', change, object: decodeRule(body) } : undefined
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      if (inet) return { type: 'neighbour', change, object: decodeNeighbour(body) }
      return family === AF_BRIDGE ? { type: 'fdb', change, object: decodeFdb(body) } : undefined
    default:
      return undefined
  }
}
