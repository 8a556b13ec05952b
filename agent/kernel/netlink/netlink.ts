/**
 * A synchronous rtnetlink client.
 *
 * The kernel handles a request inside `send`, so its answer is there when `send` returns: waiting asynchronously would
 * gain nothing. A socket belongs to the network namespace it was made in, for as long as it lives.
 */
import { addon } from './addon.ts'
import {
  encode,
  failure,
  messages,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './message.ts'
import type { Message, Request } from './message.ts'
import { NetlinkError } from './netlink-error.ts'

export const NETLINK_ROUTE = 0

const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const NETLINK_GET_STRICT_CHK = 12

const EIO = 5
const EINTR = 4
/** Answers read at once: acknowledgements are a few hundred bytes. */
const MOST_ANSWERS = 16
const RECEIVE_BUFFER = 1 << 20
const DUMP_ATTEMPTS = 20
/** Requests in one send: their acknowledgements must fit the receive buffer together. */
const BATCH_REQUESTS = 256
const BATCH_BYTES = 64 << 10

export interface NetlinkOptions {
  /** Path of a named namespace (`/run/netns/nodeleaf`); absent: the one this thread is in. */
  readonly netns?: string | undefined
  /** @default NETLINK_ROUTE */
  readonly protocol?: number | undefined
  /** Room for datagrams to begin with; it grows when one is longer. @default 64 KiB */
  readonly receiveBytes?: number | undefined
}

export class Netlink implements Disposable {
  /** State-changing requests sent so far: a reconciler that found nothing to do has sent none. */
  writes = 0
  readonly #fd: number
  #buffer: Buffer
  #answers = MOST_ANSWERS
  #sequence = 0
  #closed = false

  private constructor(fd: number, receiveBytes: number) {
    this.#fd = fd
    this.#buffer = Buffer.allocUnsafe(receiveBytes)
  }

  /** Throws errors like node:fs does: ENOENT for a namespace that is not there, EPERM without CAP_NET_ADMIN. */
  static open(options: NetlinkOptions = {}): Netlink {
    return new Netlink(openSocket(options), options.receiveBytes ?? 64 << 10)
  }

  /** Sends one request: returns its replies (none for a change). Throws NetlinkError. */
  request(request: Request): Message[] {
    const [result] = this.batch([request])
    if (result instanceof NetlinkError) throw result
    return result ?? []
  }

  /**
   * Sends several requests at once; the kernel handles each, whatever became of those before. One result a request, in
   * order: its replies, or why it failed.
   */
  batch(requests: readonly Request[]): (Message[] | NetlinkError)[] {
    const results: (Message[] | NetlinkError)[] = []
    for (let next = 0; next < requests.length;) {
      const part: Buffer[] = []
      const first = this.#sequence + 1
      let size = 0
      const from = next
      for (; next < requests.length && part.length < BATCH_REQUESTS; next++) {
        const request = requests[next] as Request
        if (part.length > 0 && size + request.body.length > BATCH_BYTES) break
        part.push(encode(request, ++this.#sequence, NLM_F_REQUEST | NLM_F_ACK))
        size += request.body.length + 16
        if (!isRead(request.type)) this.writes++
      }
      results.push(...this.#exchange(requests.slice(from, next), first, Buffer.concat(part)))
    }
    return results
  }

  /**
   * Reads a whole table. A dump that was interrupted by a change is taken again; after 20 attempts it fails with EINTR.
   * Throws NetlinkError.
   */
  dump(request: Request): Message[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      try {
        const found = this.#dumpOnce(request)
        if (found !== undefined) return found
      } catch (error) {
        this.#drain()
        throw error
      }
    }
    throw new NetlinkError(EINTR, { asked: request.asked, extack: `interrupted by changes ${DUMP_ATTEMPTS} times` })
  }

  /** Harmless when closed already. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    addon().closeSocket(this.#fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Undefined when it was interrupted by a change, or a datagram was longer than the buffer, which has grown then. */
  #dumpOnce(request: Request): Message[] | undefined {
    const sequence = ++this.#sequence
    this.#send(encode(request, sequence, NLM_F_REQUEST | NLM_F_DUMP), request)
    const found: Message[] = []
    let whole = true
    for (;;) {
      const received = this.#receive(request, 1)
      if (received === undefined) {
        this.#buffer = Buffer.allocUnsafe(2 * this.#buffer.length)
        this.#drain()
        return undefined
      }
      // What was found is kept longer than the buffer has it.
      for (const message of messages(Buffer.from(received))) {
        if (message.sequence !== sequence) continue
        if (message.flags & NLM_F_DUMP_INTR) whole = false
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
          const refusal = failure(message, request)
          if (refusal !== undefined && refusal.errno !== EINTR) throw refusal
          return whole && refusal === undefined ? found : undefined
        }
        found.push(message)
      }
    }
  }

  /** Sends the encoded requests, numbered from `first`, and collects until each is acknowledged. */
  #exchange(requests: readonly Request[], first: number, bytes: Buffer): (Message[] | NetlinkError)[] {
    const results: (Message[] | NetlinkError)[] = requests.map(() => [])
    this.#send(bytes, requests[0])
    for (let open = requests.length; open > 0;) {
      const received = this.#receive(requests[0], this.#answers)
      if (received === undefined) {
        if (this.#answers > 1) this.#answers >>= 1
        else this.#buffer = Buffer.allocUnsafe(2 * this.#buffer.length)
        this.#drain()
        if (requests.every(({ type }) => isRead(type))) return this.batch(requests)
        throw new NetlinkError(EIO, { asked: asked(requests[0]), extack: 'an answer was too long' })
      }
      for (const message of messages(received)) {
        const index = message.sequence - first
        const request = requests[index]
        const result = results[index]
        if (request === undefined || !Array.isArray(result)) continue
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          results[index] = failure(message, request) ?? result
          open--
        } else result.push({ ...message, body: Buffer.from(message.body) })
      }
    }
    return results
  }

  #send(bytes: Buffer, request: Request | undefined): void {
    try {
      addon().send(this.#fd, bytes)
    } catch (cause) {
      throw broken(cause, request)
    }
  }

  /** The next datagrams, at most so many, until the next call; undefined when one was too long, and some are lost. */
  #receive(request: Request | undefined, datagrams: number): Buffer | undefined {
    let length: number
    try {
      length = addon().receive(this.#fd, this.#buffer, datagrams)
    } catch (cause) {
      if (isTooLong(cause)) return undefined
      throw broken(cause, request)
    }
    if (length === 0) throw new NetlinkError(EIO, { asked: asked(request), extack: 'the kernel did not answer' })
    return this.#buffer.subarray(0, length)
  }

  /** Reads what is left of an exchange to its end: a dump that is not would keep the next one from starting. */
  #drain(): void {
    for (;;) {
      try {
        if (addon().receive(this.#fd, this.#buffer, 1) === 0) return
      } catch (error) {
        // The error that led here is the one to tell.
        if (!isTooLong(error)) return
      }
    }
  }
}

function isTooLong(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EMSGSIZE'
}

export function openSocket(options: NetlinkOptions): number {
  const fd = addon().openSocket(options.protocol ?? NETLINK_ROUTE, options.netns ?? null)
  try {
    addon().setOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1)
    addon().setOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1)
    addon().setOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
    addon().setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    return fd
  } catch (error) {
    addon().closeSocket(fd)
    throw error
  }
}

/** rtnetlink numbers its messages in fours: NEW, DEL, GET, SET. */
function isRead(type: number): boolean {
  return (type & 3) === 2
}

function asked(request: Request | undefined): string {
  return request?.asked ?? 'netlink request'
}

function broken(cause: unknown, request: Request | undefined): NetlinkError {
  const errno = cause instanceof Error && 'errno' in cause && typeof cause.errno === 'number' ? cause.errno : EIO
  const text = cause instanceof Error ? cause.message : undefined
  return new NetlinkError(errno, { asked: asked(request), extack: text, cause })
}
