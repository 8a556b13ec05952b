/**
 * A PlanUpdate as an encoded ControllerMessage, into one buffer of the right length. Plans of thousands of nodes are most
 * of what the controller ever encodes; a general encoder grows its buffer again and again, and copies each piece twice.
 * https://protobuf.dev/programming-guides/encoding/
 */
import type { Piece } from '../../api/plan/plan-version.ts'

export interface Update {
  readonly base: string
  readonly revision: string
  readonly set: readonly Piece[]
  readonly remove: readonly string[]
  readonly more: boolean
  readonly refused: { readonly json: Uint8Array; readonly digest: string } | undefined
}

/** Numbers of the fields in api/wire/distribution.proto. */
const PLAN = 2
const UPDATE = { base: 1, revision: 2, set: 3, remove: 4, more: 5, refused: 6, refusedDigest: 7 } as const
const PIECE = { key: 1, json: 2 } as const

/** Wire types; all field numbers here are below 16, so that a tag is one byte. */
const VARINT = 0
const LENGTH_DELIMITED = 2
const TAG_BYTES = 1

export function encodedUpdate({ base, revision, set, remove, more, refused }: Update): Buffer {
  const pieces = set.map((piece) => pieceLength(piece))
  const update =
    (base === '' ? 0 : fieldLength(Buffer.byteLength(base))) +
    (revision === '' ? 0 : fieldLength(Buffer.byteLength(revision))) +
    pieces.reduce((sum, length) => sum + fieldLength(length), 0) +
    remove.reduce((sum, key) => sum + fieldLength(Buffer.byteLength(key)), 0) +
    (more ? TAG_BYTES + 1 : 0) +
    (refused ? fieldLength(refused.json.length) + fieldLength(Buffer.byteLength(refused.digest)) : 0)
  const writer = new Writer(fieldLength(update))
  writer.head(PLAN, update)
  if (base !== '') writer.text(UPDATE.base, base)
  if (revision !== '') writer.text(UPDATE.revision, revision)
  for (const [at, { key, json }] of set.entries()) {
    writer.head(UPDATE.set, pieces[at] ?? 0)
    writer.text(PIECE.key, key)
    writer.bytes(PIECE.json, json)
  }
  for (const key of remove) writer.text(UPDATE.remove, key)
  if (more) writer.yes(UPDATE.more)
  if (refused) {
    writer.bytes(UPDATE.refused, refused.json)
    writer.text(UPDATE.refusedDigest, refused.digest)
  }
  return writer.buffer
}

const pieceLength = ({ key, json }: Piece): number => fieldLength(Buffer.byteLength(key)) + fieldLength(json.length)

/** Of a field with so many bytes: tag, length, content. */
const fieldLength = (bytes: number): number => TAG_BYTES + varintLength(bytes) + bytes

function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) length++
  return length
}

class Writer {
  readonly buffer: Buffer
  #at = 0

  constructor(length: number) {
    // Not of Node's pool, which a small part would keep in memory as a whole.
    this.buffer = Buffer.allocUnsafeSlow(length)
  }

  /** Tag and length of a field that follows. */
  head(field: number, length: number): void {
    this.buffer[this.#at++] = (field << 3) | LENGTH_DELIMITED
    let rest = length
    for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) this.buffer[this.#at++] = (rest & 0x7f) | 0x80
    this.buffer[this.#at++] = rest
  }

  text(field: number, value: string): void {
    this.head(field, Buffer.byteLength(value))
    this.#at += this.buffer.write(value, this.#at)
  }

  bytes(field: number, value: Uint8Array): void {
    this.head(field, value.length)
    this.buffer.set(value, this.#at)
    this.#at += value.length
  }

  yes(field: number): void {
    this.buffer[this.#at++] = (field << 3) | VARINT
    this.buffer[this.#at++] = 1
  }
}
