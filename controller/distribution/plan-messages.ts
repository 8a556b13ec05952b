/**
 * A change of a plan as encoded ControllerMessages, one after the other and each only when it is asked for, so that a
 * plan is never in memory a second time.
 *
 * Written by hand (https://protobuf.dev/programming-guides/encoding/): the JSON of a piece that thousands of nodes share
 * is copied once into each message, and no object is made for it.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { Piece, PlanChange } from '../../api/plan/plan-version.ts'
import { ControllerMessageSchema, PieceSchema, PlanUpdateSchema } from '../../api/wire/generated/distribution_pb.ts'

export interface UpdateHead {
  /** Empty: the change is the whole plan. */
  readonly base: string
  readonly revision: string
  /** Left out: as before. */
  readonly refused?: { readonly json: Uint8Array; readonly digest: string }
}

/** Messages are at most this long, but for a piece that is longer alone. */
export const MESSAGE_BYTES = 256 * 1024

/** Tag, length of up to four bytes. */
const FIELD_BYTES = 5

/** How many bytes of it go over the wire, about. */
export function weight(change: PlanChange): number {
  return change.set.reduce((sum, piece) => sum + pieceBytes(piece), 0) + change.remove.join('').length
}

export interface PlanMessage {
  readonly bytes: Buffer
  readonly last: boolean
}

/** At least one message; all but the last have `more`. */
export function* planMessages(change: PlanChange, head: UpdateHead): Generator<PlanMessage, void, undefined> {
  const { base, revision } = head
  let { refused } = head
  for (const batch of batched(change)) {
    const rest = toBinary(
      PlanUpdateSchema,
      create(PlanUpdateSchema, {
        base,
        revision,
        remove: batch.remove,
        more: !batch.last,
        ...(refused ? { refused: refused.json, refusedDigest: refused.digest } : {}),
      }),
    )
    refused = undefined
    yield { bytes: message(rest, batch.set), last: batch.last }
  }
}

interface Batch {
  readonly set: readonly Piece[]
  readonly remove: string[]
  readonly last: boolean
}

/** As many pieces and keys as fit into a message, again and again. */
function* batched({ set, remove }: PlanChange): Generator<Batch, void, undefined> {
  let taken = 0
  let removed = 0
  do {
    let bytes = 0
    const [firstPiece, firstKey] = [taken, removed]
    const fits = (more: number): boolean => bytes === 0 || bytes + more <= MESSAGE_BYTES
    for (let piece = set[taken]; piece && fits(pieceBytes(piece)); piece = set[++taken]) bytes += pieceBytes(piece)
    for (let key = remove[removed]; key !== undefined && fits(key.length + FIELD_BYTES); key = remove[++removed])
      bytes += key.length + FIELD_BYTES
    yield {
      set: set.slice(firstPiece, taken),
      remove: remove.slice(firstKey, removed),
      last: taken === set.length && removed === remove.length,
    }
  } while (taken < set.length || removed < remove.length)
}

const pieceBytes = ({ key, json }: Piece): number => key.length + json.length + 3 * FIELD_BYTES

const { plan } = ControllerMessageSchema.field
const { set } = PlanUpdateSchema.field
const { key, json } = PieceSchema.field

/** ControllerMessage { plan: `rest` and `pieces` }: concatenated encodings of a message are one message. */
function message(rest: Uint8Array, pieces: readonly Piece[]): Buffer {
  const heads = pieces.map(pieceHead)
  const length = pieces.reduce((sum, piece, at) => sum + (heads[at]?.length ?? 0) + piece.json.length, rest.length)
  const start = new BinaryWriter().tag(plan.number, WireType.LengthDelimited).uint32(length).finish()
  const bytes = Buffer.allocUnsafe(start.length + length)
  bytes.set(start, 0)
  bytes.set(rest, start.length)
  let at = start.length + rest.length
  for (const [position, piece] of pieces.entries()) {
    const head = heads[position]
    if (!head) continue
    bytes.set(head, at)
    bytes.set(piece.json, at + head.length)
    at += head.length + piece.json.length
  }
  return bytes
}

const pieceHeads = new WeakMap<Piece, Uint8Array>()

/** All of PlanUpdate.set[...] before the JSON itself. Kept for as long as the piece lives: most are sent to many nodes. */
function pieceHead(piece: Piece): Uint8Array {
  const known = pieceHeads.get(piece)
  if (known) return known
  const inner = new BinaryWriter()
    .tag(key.number, WireType.LengthDelimited)
    .string(piece.key)
    .tag(json.number, WireType.LengthDelimited)
    .uint32(piece.json.length)
    .finish()
  const outer = new BinaryWriter()
    .tag(set.number, WireType.LengthDelimited)
    .uint32(inner.length + piece.json.length)
    .raw(inner)
    .finish()
  pieceHeads.set(piece, outer)
  return outer
}
