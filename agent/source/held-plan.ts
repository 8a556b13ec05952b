/**
 * The controller's plan in its pieces, each read, checked and hashed once: an update costs what it changes. What did not
 * change stays the same object, so that whatever is worked out from it may be kept beside it. Pure.
 */
import type { NodePlan, SegmentPlan, VrfPlan } from '../../api/plan/node-plan.ts'
import { parsedPiece, PieceError } from '../../api/plan/pieces.ts'
import { hashOf, minus, plus, sumOfNode, type RevisionSum } from '../../api/plan/revision.ts'
import { compare } from '../../api/snapshot/snapshot.ts'
import { checkedPart, type Part } from './checked-part.ts'

export type HeldPiece = Part & {
  readonly key: string
  /** JSON, as it came. */
  readonly text: string
  readonly hash: bigint
}

export interface HeldPlan {
  readonly pieces: ReadonlyMap<string, HeldPiece>
  readonly sum: RevisionSum
  readonly plan: NodePlan
}

export interface TextChange {
  /** JSON by key. */
  readonly set: Iterable<readonly [key: string, text: string]>
  readonly remove: Iterable<string>
}

export function emptyPlan(node: string): HeldPlan {
  return { pieces: new Map(), sum: sumOfNode(node), plan: { node, vrfs: [], segments: [] } }
}

/**
 * The plan after the change. Pieces that say what those in `known` say are these.
 * @throws PieceError when a piece makes no sense to this version, or the plan has networks without a router
 */
export function changedPlan(before: HeldPlan, change: TextChange, known: HeldPlan = before): HeldPlan {
  const pieces = new Map(before.pieces)
  let { sum } = before
  const drop = (key: string): void => {
    const gone = pieces.get(key)
    if (gone === undefined) return
    sum = minus(sum, gone.hash)
    pieces.delete(key)
  }
  for (const key of change.remove) drop(key)
  for (const [key, text] of change.set) {
    drop(key)
    const was = known.pieces.get(key)
    const piece = was?.text === text ? was : heldPiece(key, text)
    sum = plus(sum, piece.hash)
    pieces.set(key, piece)
  }
  if (pieces.size > 0 && !pieces.has('router'))
    throw new PieceError('the plan has networks and no router to put them in')
  return { pieces, sum, plan: planOf(pieces.values(), known.plan) }
}

function heldPiece(key: string, text: string): HeldPiece {
  return { ...checkedPart(key, parsedPiece(key, text)), key, text, hash: hashOf(key, text) }
}

/** Lists in which nothing changed are those of `known`. */
function planOf(pieces: Iterable<HeldPiece>, known: NodePlan): NodePlan {
  const plan: { -readonly [Field in keyof NodePlan]: NodePlan[Field] } = { node: known.node, vrfs: [], segments: [] }
  const vrfs: VrfPlan[] = []
  const segments: SegmentPlan[] = []
  for (const piece of pieces) {
    if (piece.kind === 'segment') segments.push(piece.value)
    else if (piece.kind === 'vrf') vrfs.push(piece.value)
    else if (piece.kind === 'router') plan.router = piece.value
    else plan.passthrough = piece.value
  }
  plan.vrfs = sameOr(
    known.vrfs,
    vrfs.sort((a, b) => compare(a.name, b.name)),
  )
  plan.segments = sameOr(
    known.segments,
    segments.sort((a, b) => a.vni - b.vni),
  )
  return plan
}

/** `before` when `after` has the same objects in the same order. */
export function sameOr<T>(before: readonly T[], after: readonly T[]): readonly T[] {
  return before.length === after.length && after.every((each, at) => each === before[at]) ? before : after
}
