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
}

const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1

export class Feed implements Disposable {
  readonly #fd: number
  readonly #buffer = Buffer.allocUnsafe(64 << 10)
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
      for (const group of options.groups.flatMap((name) => GROUPS[name])) join(fd, group)
      return new Feed(fd)
    } catch (error) {
      addon().closeSocket(fd)
      throw error
    }
  }

  /**
   * Gives what is queued now to `take`, whose message's body is only good during the call; at most `datagrams` at once.
   * `lost` says that the kernel had more than it could hold, or something that cannot be read.
   */
  read(take: (message: Message) => void, datagrams = Infinity): { readonly lost: boolean; readonly more: boolean } {
    let lost = false
    for (let count = 0; count < datagrams; count++) {
      if (!this.#open) return { lost, more: false }
      const datagram = this.#receive()
      if (datagram === undefined) return { lost, more: false }
      if (datagram === 'lost') {
        lost = true
        continue
      }
      try {
        for (const message of messages(datagram)) take(message)
      } catch (error) {
        if (!(error instanceof NetlinkError)) throw error
        lost = true
      }
    }
    return { lost, more: true }
  }

  /** The next; undefined when there is none. */
  #receive(): Buffer | 'lost' | undefined {
    let length: number
    try {
      length = addon().receive(this.#fd, this.#buffer)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOBUFS') return 'lost'
      throw error
    }
    if (length === 0) return undefined
    return length > this.#buffer.length ? 'lost' : this.#buffer.subarray(0, length)
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
