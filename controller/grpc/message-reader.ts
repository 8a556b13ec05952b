/**
 * Takes messages out of the bytes of a stream: a byte that says whether the message is packed, its length in four bytes,
 * the message. Of a message that has been handed out nothing is kept.
 */
import { status, type StatusCode } from './status.ts'

/** Of each message. */
export const PREFIX_BYTES = 5

/** What came is no message that is taken. */
export class MessageError extends Error {
  override readonly name = 'MessageError'
  readonly code: StatusCode

  constructor(code: StatusCode, message: string) {
    super(message)
    this.code = code
  }
}

const NOTHING = Buffer.alloc(0)

export class MessageReader {
  readonly #mostBytes: number
  /** Holds what came and was not handed out, from `#from` on: what came last itself, or a buffer made here to add to. */
  #buffer: Buffer = NOTHING
  #from = 0
  #held = 0
  #room = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  push(chunk: Buffer): void {
    if (this.#held === 0) {
      this.#buffer = chunk
      this.#from = 0
      this.#room = 0
    } else {
      if (this.#room < chunk.length) this.#grow(chunk.length)
      this.#buffer.set(chunk, this.#from + this.#held)
      this.#room -= chunk.length
    }
    this.#held += chunk.length
  }

  /** The next message, or undefined when it has not come yet. @throws MessageError */
  next(): Buffer | undefined {
    if (this.#held < PREFIX_BYTES) return undefined
    const length = this.#buffer.readUInt32BE(this.#from + 1)
    if (this.#buffer[this.#from] !== 0)
      throw new MessageError(status.UNIMPLEMENTED, 'packed messages are not taken: grpc-accept-encoding is identity')
    if (length > this.#mostBytes)
      throw new MessageError(
        status.RESOURCE_EXHAUSTED,
        `a message has ${length} bytes, and ${this.#mostBytes} is the most`,
      )
    if (this.#held < PREFIX_BYTES + length) return undefined
    const start = this.#from + PREFIX_BYTES
    const message = this.#buffer.subarray(start, start + length)
    this.#from = start + length
    this.#held -= PREFIX_BYTES + length
    if (this.#held === 0) this.#buffer = NOTHING
    return message
  }

  /** By half at least, so that each byte is copied a few times only, in however small parts it comes. */
  #grow(more: number): void {
    const grown = Buffer.allocUnsafeSlow(this.#held + Math.max(more, this.#held))
    grown.set(this.#buffer.subarray(this.#from, this.#from + this.#held))
    this.#room = grown.length - this.#held
    this.#buffer = grown
    this.#from = 0
  }
}
