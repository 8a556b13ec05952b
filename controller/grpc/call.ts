/** One stream of a peer: messages up and down, one status at its end. */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { messageOf } from '../../log/log.ts'
import { MessageError, MessageReader, PREFIX_BYTES } from './message-reader.ts'
import { status, type StatusCode } from './status.ts'

/** Who is at the other end of the connection. */
export interface Peer {
  /** ADDRESS:PORT */
  readonly address: string
  /** DER of the client's certificate, when it presented one that the CA signed. */
  readonly certificate: () => Uint8Array | undefined
}

export interface Ended {
  readonly code: StatusCode
  /** For people. */
  readonly details: string
  /** ASCII. */
  readonly trailers?: Readonly<Record<string, string>>
}

type Done = (error?: Error | null) => void

/**
 * What is handed to HTTP/2 at a time, so that a connection never needs more than the one buffer of 16 KiB for what goes
 * out that OpenSSL's and Node.js's layers have anyhow: they keep what they were once made to take.
 */
export const SLICE_BYTES = 15 * 1024
const MOST_BYTES = 4 * 1024 * 1024

const RESPONSE = {
  [constants.HTTP2_HEADER_STATUS]: 200,
  [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc+proto',
  'grpc-accept-encoding': 'identity',
} as const

export class Call {
  readonly peer: Peer
  /** Of the header of this name. */
  readonly authorization: string | undefined
  readonly #stream: ServerHttp2Stream
  readonly #reader = new MessageReader(MOST_BYTES)
  readonly #whenGone = new Set<() => void>()
  #take: ((message: Buffer) => void) | undefined
  #paused = false
  #responded = false
  #writing = false
  #waiting: readonly { readonly message: Buffer; readonly done: Done }[] = []
  #ended: Ended | undefined

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: Peer) {
    this.#stream = stream
    this.peer = peer
    this.authorization = headers.authorization
    // Comes with `close`; that is what is acted upon.
    stream.on('error', () => {})
    stream.once('close', () => {
      for (const each of this.#whenGone) each()
      this.#whenGone.clear()
    })
  }

  /** The stream is there no more, however it ended. */
  get gone(): boolean {
    return this.#stream.closed || this.#stream.destroyed
  }

  /** Its status was given, or there is nobody to give it to. */
  get ended(): boolean {
    return this.#ended !== undefined || this.gone
  }

  onGone(work: () => void): void {
    if (this.#stream.destroyed) queueMicrotask(work)
    else this.#whenGone.add(work)
  }

  /** From now on messages are read, and each is given to `take`; it must not throw. */
  listen(take: (message: Buffer) => void): void {
    this.#take = take
    this.#stream.on('data', (chunk: Buffer) => {
      if (this.ended) return
      this.#reader.push(chunk)
      this.#deliver()
    })
    this.#stream.once('end', () => this.end({ code: status.OK, details: '' }))
  }

  /** Nothing is read until `resume`: flow control keeps the rest in the peer's own buffers. */
  pause(): void {
    this.#paused = true
    this.#stream.pause()
  }

  resume(): void {
    this.#paused = false
    this.#deliver()
    if (!this.#paused) this.#stream.resume()
  }

  /** `message` as `framed` makes it. `done` is called when all of it has gone out, or with why it cannot. */
  write(message: Buffer, done: Done = () => {}): void {
    if (this.ended) return done(new Error('the stream has ended'))
    this.#waiting = [...this.#waiting, { message, done }]
    if (!this.#writing) this.#next()
  }

  /**
   * The status goes out after the message that is on its way; those that wait are dropped. Whatever comes from then on is
   * thrown away.
   */
  end(ended: Ended): void {
    if (this.ended) return
    this.#ended = ended
    // The end of the stream is seen only when it is read.
    this.#stream.resume()
    if (!this.#writing) this.#finish(ended)
  }

  /** Message by message, each in slices of which the next one follows when the last one has gone out. */
  #next(): void {
    const [first, ...others] = this.#ended === undefined ? this.#waiting : []
    this.#writing = first !== undefined
    if (first) {
      this.#waiting = others
      this.#respond()
      return this.#slice(first.message, first.done)
    }
    const dropped = this.#waiting
    this.#waiting = []
    for (const { done } of dropped) done(new Error('the stream has ended'))
    if (this.#ended && !this.gone) this.#finish(this.#ended)
  }

  #slice(message: Buffer, done: Done): void {
    const rest = message.subarray(SLICE_BYTES)
    this.#stream.write(message.subarray(0, SLICE_BYTES), (error) => {
      if (!error && rest.length > 0) return this.#slice(rest, done)
      done(error)
      this.#next()
    })
  }

  #finish({ code, details, trailers }: Ended): void {
    const trailer = { 'grpc-status': String(code), 'grpc-message': encodeURI(details.toWellFormed()), ...trailers }
    if (!this.#responded) return this.#stream.respond({ ...RESPONSE, ...trailer }, { endStream: true })
    this.#stream.once('wantTrailers', () => this.#stream.sendTrailers(trailer))
    this.#stream.end()
  }

  #respond(): void {
    if (this.#responded) return
    this.#responded = true
    this.#stream.respond(RESPONSE, { waitForTrailers: true })
  }

  #deliver(): void {
    try {
      while (!this.#paused && !this.ended) {
        const message = this.#reader.next()
        if (message === undefined) return
        this.#take?.(message)
      }
    } catch (error) {
      this.end({ code: error instanceof MessageError ? error.code : status.INTERNAL, details: messageOf(error) })
    }
  }
}

/** With the prefix of a message that is not packed; `message` is copied. */
export function framed(message: Uint8Array): Buffer {
  const whole = Buffer.allocUnsafeSlow(PREFIX_BYTES + message.length)
  prefix(whole)
  whole.set(message, PREFIX_BYTES)
  return whole
}

/** Writes the prefix into the first bytes of a buffer that has the message after them. */
export function prefix(whole: Buffer): void {
  whole[0] = 0
  whole.writeUInt32BE(whole.length - PREFIX_BYTES, 1)
}
