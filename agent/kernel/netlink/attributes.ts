/**
 * Netlink attributes: type-length-value, aligned to 4 bytes, nestable (include/uapi/linux/netlink.h, nlattr).
 *
 * Numbers are in the byte order of the machine, which must be little-endian; the few in network order say so.
 */
import { endianness } from 'node:os'
import { malformed } from './netlink-error.ts'

if (endianness() !== 'LE') throw new Error('nodeleaf supports little-endian machines only')

const HEADER = 4
const NLA_F_NESTED = 0x8000
const NLA_TYPE_MASK = 0x3fff

const aligned = (length: number): number => (length + 3) & ~3

/**
 * Attributes of a message or a nest, found once and read when asked for: of a link's fifty most never are. A repeated type
 * keeps its last value, as in the kernel's nla_parse; `entries` has them all. Unknown types are kept and harmless. A
 * payload longer than asked for is accepted (newer kernels extend structures), a shorter one is an error.
 */
export class Attributes {
  readonly #bytes: Buffer
  /** Of each: type, where its payload begins, and where it ends. */
  readonly #spans: readonly number[]

  private constructor(bytes: Buffer, spans: readonly number[]) {
    this.#bytes = bytes
    this.#spans = spans
  }

  /**
   * `from` and `to` are offsets into `bytes`, which is kept. Throws NetlinkError EBADMSG when what is there is not a
   * sequence of attributes.
   */
  static parse(bytes: Buffer, from = 0, to = bytes.length): Attributes {
    const spans: number[] = []
    let offset = from
    while (to - offset >= HEADER) {
      const length = bytes.readUInt16LE(offset)
      if (length < HEADER || offset + length > to) throw malformed(`attribute of length ${length}`)
      spans.push(bytes.readUInt16LE(offset + 2) & NLA_TYPE_MASK, offset + HEADER, offset + length)
      offset += aligned(length)
    }
    return new Attributes(bytes, spans)
  }

  /** All, in their order. */
  get entries(): readonly (readonly [type: number, payload: Buffer])[] {
    const entries: [number, Buffer][] = []
    for (let at = 0; at < this.#spans.length; at += 3) entries.push([this.#spans[at] ?? 0, this.#payload(at)])
    return entries
  }

  bytes(type: number, atLeast = 0): Buffer | undefined {
    const at = this.#find(type, atLeast)
    return at < 0 ? undefined : this.#payload(at)
  }

  has(type: number): boolean {
    return this.#find(type) >= 0
  }

  u8(type: number): number | undefined {
    const at = this.#find(type, 1)
    return at < 0 ? undefined : this.#bytes[this.#start(at)]
  }

  u16(type: number): number | undefined {
    const at = this.#find(type, 2)
    return at < 0 ? undefined : this.#bytes.readUInt16LE(this.#start(at))
  }

  /** Network byte order. */
  u16be(type: number): number | undefined {
    const at = this.#find(type, 2)
    return at < 0 ? undefined : this.#bytes.readUInt16BE(this.#start(at))
  }

  u32(type: number): number | undefined {
    const at = this.#find(type, 4)
    return at < 0 ? undefined : this.#bytes.readUInt32LE(this.#start(at))
  }

  i32(type: number): number | undefined {
    const at = this.#find(type, 4)
    return at < 0 ? undefined : this.#bytes.readInt32LE(this.#start(at))
  }

  /** Network byte order. */
  u32be(type: number): number | undefined {
    const at = this.#find(type, 4)
    return at < 0 ? undefined : this.#bytes.readUInt32BE(this.#start(at))
  }

  flag(type: number): boolean | undefined {
    const value = this.u8(type)
    return value === undefined ? undefined : value !== 0
  }

  /** Up to the first NUL. */
  string(type: number): string | undefined {
    const at = this.#find(type)
    if (at < 0) return undefined
    const [start, limit] = [this.#start(at), this.#end(at)]
    let end = start
    while (end < limit && this.#bytes[end] !== 0) end++
    return this.#bytes.toString('utf8', start, end)
  }

  nested(type: number): Attributes | undefined {
    const at = this.#find(type)
    return at < 0 ? undefined : Attributes.parse(this.#bytes, this.#start(at), this.#end(at))
  }

  /** Where the last of the type is in `#spans`; -1 when there is none. */
  #find(type: number, atLeast = 0): number {
    for (let at = this.#spans.length - 3; at >= 0; at -= 3) {
      if (this.#spans[at] !== type) continue
      const length = this.#end(at) - this.#start(at)
      if (length < atLeast) throw malformed(`attribute ${type} has ${length} bytes, not ${atLeast}`)
      return at
    }
    return -1
  }

  #start(at: number): number {
    return this.#spans[at + 1] ?? 0
  }

  #end(at: number): number {
    return this.#spans[at + 2] ?? 0
  }

  #payload(at: number): Buffer {
    return this.#bytes.subarray(this.#start(at), this.#end(at))
  }
}

/** Writes structures and attributes one after another into a buffer that grows. Undefined values are left out. */
export class MessageWriter {
  #buffer = Buffer.alloc(256)
  #length = 0

  /**
   * Appends `length` zero bytes and returns them, to be filled before anything else is written: for the fixed structure
   * at the head of a message.
   */
  struct(length: number): Buffer {
    const start = this.#reserve(aligned(length))
    return this.#buffer.subarray(start, start + length)
  }

  bytes(type: number, value: Uint8Array | undefined): this {
    if (value !== undefined) this.#payload(type, value.length).set(value)
    return this
  }

  empty(type: number, present = true): this {
    if (present) this.#payload(type, 0)
    return this
  }

  u8(type: number, value: number | undefined): this {
    if (value !== undefined) this.#payload(type, 1).writeUInt8(value)
    return this
  }

  flag(type: number, value: boolean | undefined): this {
    return this.u8(type, value === undefined ? undefined : Number(value))
  }

  u16(type: number, value: number | undefined): this {
    if (value !== undefined) this.#payload(type, 2).writeUInt16LE(value)
    return this
  }

  u16be(type: number, value: number | undefined): this {
    if (value !== undefined) this.#payload(type, 2).writeUInt16BE(value)
    return this
  }

  u32(type: number, value: number | undefined): this {
    if (value !== undefined) this.#payload(type, 4).writeUInt32LE(value)
    return this
  }

  u32be(type: number, value: number | undefined): this {
    if (value !== undefined) this.#payload(type, 4).writeUInt32BE(value)
    return this
  }

  /** NUL-terminated, as the kernel's NLA_STRING and NLA_NUL_STRING both take it. */
  string(type: number, value: string | undefined): this {
    return this.bytes(type, value === undefined ? undefined : Buffer.from(`${value}\0`))
  }

  /** A nest; `fill` writes its content with this writer. */
  nest(type: number, fill: (writer: this) => void): this {
    const start = this.#reserve(HEADER)
    fill(this)
    this.#header(start, type | NLA_F_NESTED, this.#length - start)
    return this
  }

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  #payload(type: number, length: number): Buffer {
    const start = this.#reserve(aligned(HEADER + length))
    this.#header(start, type, HEADER + length)
    return this.#buffer.subarray(start + HEADER, start + HEADER + length)
  }

  #header(start: number, type: number, length: number): void {
    if (length > 0xffff) throw new RangeError(`attribute ${type & NLA_TYPE_MASK} of ${length} bytes is too long`)
    this.#buffer.writeUInt16LE(length, start)
    this.#buffer.writeUInt16LE(type, start + 2)
  }

  #reserve(length: number): number {
    const start = this.#length
    if (start + length > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(2 * this.#buffer.length, start + length))
      larger.set(this.#buffer.subarray(0, start))
      this.#buffer = larger
    }
    this.#length = start + length
    return start
  }
}
