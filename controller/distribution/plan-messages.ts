/**
 * A change of a plan as encoded ControllerMessages, one after the other and each only when it is asked for, so that a
 * plan is never in memory a second time. The JSON of a piece is made once for all nodes that share it.
 */
import type { Piece, PlanChange } from '../../api/plan/plan-version.ts'
import { encodedUpdate } from './plan-encoding.ts'

export interface UpdateHead {
  /** Empty: the change is the whole plan. */
  readonly base: string
  readonly revision: string
  /** Left out: as before. */
  readonly refused?: { readonly json: Uint8Array; readonly digest: string }
}

/** Messages are at most this long, but for a piece that is longer alone: with what comes around them they go out at once. */
export const MESSAGE_BYTES = 14 * 1024

/** Of a field's tag and length, at most. */
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
    const { set, remove, last } = batch
    const bytes = encodedUpdate({ base, revision, set, remove, more: !last, refused })
    refused = undefined
    yield { bytes, last }
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
