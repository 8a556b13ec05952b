/** A plan as pieces, and pieces as a plan: how plans travel, since most changes are about one piece of thousands. */
import { compare } from '../snapshot/snapshot.ts'
import type { HostSessionPlan, NodePlan, RouterPlan, SegmentPlan, VrfPlan } from './node-plan.ts'
import type { Piece, PlanChange } from './plan-version.ts'

export const vrfKey = (name: string): string => `vrf/${name}`
export const segmentKey = (vni: number): string => `segment/${vni}`

/** What is in no piece with a known key is an error of whoever sent it. */
export class PieceError extends Error {
  readonly code = 'PIECE'
}

/** Equal plans give equal pieces, byte for byte. */
export function piecesOf(plan: NodePlan): readonly Piece[] {
  return [
    ...(plan.router ? [pieceOf('router', plan.router)] : []),
    ...plan.vrfs.map((vrf) => pieceOf(vrfKey(vrf.name), vrf)),
    ...plan.segments.map((segment) => pieceOf(segmentKey(segment.vni), segment)),
    ...(plan.passthrough ? [pieceOf('passthrough', plan.passthrough)] : []),
  ]
}

/** Puts a plan together, whatever the order of the pieces. @throws PieceError naming the key that makes no sense */
export function planOf(node: string, pieces: Iterable<Piece>): NodePlan {
  let router: RouterPlan | undefined
  let passthrough: HostSessionPlan | undefined
  const vrfs: VrfPlan[] = []
  const segments: SegmentPlan[] = []
  for (const piece of pieces) {
    const { key } = piece
    const value = (): unknown => parsedPiece(key, textOfPiece(piece))
    if (key === 'router') router = value() as RouterPlan
    else if (key === 'passthrough') passthrough = value() as HostSessionPlan
    else if (key.startsWith('vrf/')) vrfs.push(value() as VrfPlan)
    else if (key.startsWith('segment/')) segments.push(value() as SegmentPlan)
    else throw unknownPiece(key)
  }
  return {
    node,
    ...(router ? { router } : {}),
    vrfs: vrfs.sort((a, b) => compare(a.name, b.name)),
    segments: segments.sort((a, b) => a.vni - b.vni),
    ...(passthrough ? { passthrough } : {}),
  }
}

export function unknownPiece(key: string): PieceError {
  return new PieceError(`the plan has a piece ${JSON.stringify(key)}, which this version does not know`)
}

/** The pieces after the change; those that are the same stay the same objects. */
export function changed(pieces: Iterable<Piece>, change: PlanChange): readonly Piece[] {
  const byKey = new Map([...pieces].map((piece) => [piece.key, piece]))
  for (const key of change.remove) byKey.delete(key)
  for (const piece of change.set) byKey.set(piece.key, piece)
  return [...byKey.values()]
}

/** The text of a piece. */
export function textOfPiece({ json }: Piece): string {
  return Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString()
}

export function pieceOf(key: string, value: object): Piece {
  return { key, json: Buffer.from(canonicalJSON(value)) }
}

/** JSON with sorted keys. */
export function canonicalJSON(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    each !== null && typeof each === 'object' && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )
}

/** What the JSON of a piece says. @throws PieceError when it is no object */
export function parsedPiece(key: string, text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value
  } catch {
    // Without the parser's words: they quote the piece, and it may hold a password.
    throw new PieceError(`the plan's piece ${JSON.stringify(key)} is not JSON`)
  }
  throw new PieceError(`the plan's piece ${JSON.stringify(key)} is not a JSON object`)
}
