/**
 * A plan's identity: the sum of the hashes of its pieces, modulo 2^64.
 *
 * A sum does not depend on the order and can be updated by one piece, so the controller never lays a plan out to know its
 * revision. A revision is only ever compared with others of the same node, and it guards against mistakes: an update that
 * was lost or applied to the wrong base. For that 64 bits are plenty (one pair in 2^64 looks alike by accident). It is no
 * proof against somebody who chooses pieces in order to make two plans look alike: who may write the resources can
 * write any plan, and the connection is authenticated by TLS.
 */
import { hash } from 'node:crypto'
import type { NodePlan } from './node-plan.ts'
import { piecesOf } from './pieces.ts'
import type { Piece } from './plan-version.ts'

/** Sum of the hashes so far. */
export type RevisionSum = bigint

/** 16 hexadecimal digits: equal plans, equal revisions. Passwords count too. */
export function revisionOf(plan: NodePlan): string {
  return revisionOfPieces(plan.node, piecesOf(plan))
}

export function revisionOfPieces(node: string, pieces: Iterable<Piece>): string {
  let sum = sumOfNode(node)
  for (const piece of pieces) sum = plus(sum, hashOf(piece.key, piece.json))
  return revisionText(sum)
}

/** The sum of a plan without pieces. */
export const sumOfNode = (node: string): RevisionSum => hashOf('node', node)

export const plus = (sum: RevisionSum, piece: bigint): RevisionSum => BigInt.asUintN(64, sum + piece)
export const minus = (sum: RevisionSum, piece: bigint): RevisionSum => BigInt.asUintN(64, sum - piece)

/** The first 64 bits of SHA-256 over key and JSON; no key contains a NUL. */
export function hashOf(key: string, json: string | Uint8Array): bigint {
  const text = typeof json === 'string' ? json : Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString()
  return hash('sha256', `${key}\0${text}`, 'buffer').readBigUInt64BE(0)
}

export const revisionText = (sum: RevisionSum): string => sum.toString(16).padStart(16, '0')
