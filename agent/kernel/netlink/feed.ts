/**
 * A namespace's events as the kernel queues them, undecoded: `ip monitor`.
 *
 * The kernel queues the events of a request before the request's `send` returns, so what is read after it has them.
 */
import { addon } from './addon.ts'
import type { WatchHandle } from './addon.ts'
import { messages } from './message.ts'
import type { Message } from './message.ts'
import { NetlinkError } from './netlink-error.ts'
import { openSocket } from './netlink.ts'

/** RTNLGRP_*. Forwarding entries come with the neighbours. */
const GROUPS = {
  link: [1],
  neighbour: [3],
  address: [5, 9],
  route: [7, 11],
  rule: [8, 19],
  /** `all` and `default` settings of IPv4 and IPv6, some of them. */
  netconf: [24, 25],
  /** VLANs of a bridge and its ports, where the port's own event does not tell of them. */
  bridgeVlan: [33],
  /** VNI filters. */
  tunnel: [35],
} as const

export type EventGroup = keyof typeof GROUPS

export interface FeedOptions {
  readonly groups: readonly EventGroup[]
  /** Path of a named namespace; absent: the one this thread is in. */
  readonly netns?: string | undefined
  /** What the kernel may hold for us, in bytes. @default 4 MiB */
  readonly receiveBuffer?: number | undefined
  /** A classic BPF program (struct sock_filter): what it refuses is not even queued. */
  readonly filter?: Uint8Array | undefined
}

/** Read at once, and room for each: it is only taken where they are long. */
const DATAGRAMS = 16
const DATAGRAM_BYTES = 64 << 10

const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1

export class Feed implements Disposable {
  readonly #fd: number
  readonly #buffer = Buffer.allocUnsafeSlow(DATAGRAMS * DATAGRAM_BYTES)
  #watch: WatchHandle | undefined
  #open = true

  private constructor(fd: number) {
    this.#fd = fd
  }

  /** Throws errors like node:fs does: ENOENT for a namespace that is not there. */
  static open(options: FeedOptions): Feed {
    const fd = openSocket({ netns: options.netns })
    try {
      addon().setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, options.receiveBuffer ?? 4 << 20)
      if (options.filter !== undefined) addon().setFilter(fd, options.filter)
      for (const group of options.groups.flatMap((name) => GROUPS[name])) join(fd, group)
      return new Feed(fd)
    } catch (error) {
      addon().closeSocket(fd)
      throw error
    }
  }

  /**
   * Gives what is queued now to `take`, whose message's body is only good during the call; at most `datagrams` at once.
   * Returns whether something was lost: the kernel had more than it could hold, or what cannot be read.
   */
  read(take: (message: Message) => void, datagrams = Infinity): boolean {
    let lost = false
    for (let left = datagrams; left > 0 && this.#open; left -= DATAGRAMS) {
      const received = this.#receive(Math.min(left, DATAGRAMS))
      if (received === undefined) break
      try {
        if (received === 'lost') lost = true
        else for (const message of messages(received)) take(message)
      } catch (error) {
        if (!(error instanceof NetlinkError)) throw error
        lost = true
      }
    }
    return lost
  }

  /** The next; undefined when there is none. */
  #receive(datagrams: number): Buffer | 'lost' | undefined {
    let length: number
    try {
      length = addon().receive(this.#fd, this.#buffer, datagrams)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code === 'ENOBUFS' || code === 'EMSGSIZE') return 'lost'
      throw error
    }
    return length === 0 ? undefined : this.#buffer.subarray(0, length)
  }

  /**
   * Calls `callback` whenever there is something to read, instead of the one before, until `unwatch` or `close`. Keeps
   * the process alive until then. What it throws is an uncaught exception.
   */
  watch(callback: () => void): void {
    this.unwatch()
    this.#watch = addon().watch(this.#fd, callback)
  }

  unwatch(): void {
    if (this.#watch !== undefined) addon().unwatch(this.#watch)
    this.#watch = undefined
  }

  /** Harmless when closed already. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    this.unwatch()
    addon().closeSocket(this.#fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** A kernel that does not have a group yet makes no such events. */
function join(fd: number, group: number): void {
  try {
    addon().setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EINVAL')) throw error
  }
}
