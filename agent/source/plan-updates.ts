/**
 * The controller's plan, from update to update. Pure: what comes of an update is returned, nothing is done.
 *
 * An update counts when its last message has come and its pieces give the revision that it names. Anything else is
 * refused with a reason, and what was there stays.
 */
import type { NodePlan } from '../../api/plan/node-plan.ts'
import { changed, planOf } from '../../api/plan/pieces.ts'
import type { Piece } from '../../api/plan/plan-version.ts'
import { revisionOfPieces } from '../../api/plan/revision.ts'
import type { Violation } from '../../api/rules/violation.ts'
import type { PlanUpdate } from '../../api/wire/generated/distribution_pb.ts'
import { messageOf } from '../../log/log.ts'
import type { StoredControllerPlan } from './last-good.ts'
import { checkedPlan } from './checked-plan.ts'

export interface ControllerPlan {
  readonly revision: string
  readonly pieces: readonly Piece[]
  readonly plan: NodePlan
  /** Objects that are not in the plan, and why. */
  readonly refused: readonly Violation[]
}

export type Taken =
  /** More messages of the same update are to come. */
  | { readonly type: 'more' }
  | { readonly type: 'plan'; readonly plan: ControllerPlan }
  | { readonly type: 'refused'; readonly error: string }

/** A plan of 8,000 VNIs has about 10 MB. */
const LARGEST_BYTES = 256 << 20

interface Pending {
  readonly base: string
  readonly revision: string
  readonly set: Piece[]
  readonly remove: string[]
  refused: Uint8Array | undefined
  bytes: number
}

/** One for a stream: what is half here when it ends is worth nothing. */
export class PlanUpdates {
  readonly #node: string
  #pending: Pending | undefined

  constructor(node: string) {
    this.#node = node
  }

  /** What the update makes of `have`. */
  receive(update: PlanUpdate, have: ControllerPlan | undefined): Taken {
    const { base, revision, more } = update
    const pending = (this.#pending ??= { base, revision, set: [], remove: [], refused: undefined, bytes: 0 })
    if (pending.base !== base || pending.revision !== revision) {
      this.#pending = undefined
      return refused(`an update to ${revision} began before the one to ${pending.revision} was whole`)
    }
    pending.set.push(...update.set.map(({ key, json }) => ({ key, json })))
    pending.remove.push(...update.remove)
    pending.refused = update.refused ?? pending.refused
    pending.bytes += update.set.reduce((sum, { json }) => sum + json.length, 0)
    if (pending.bytes > LARGEST_BYTES) {
      this.#pending = undefined
      return refused(`the update to ${revision} has more than ${LARGEST_BYTES} bytes`)
    }
    if (more) return { type: 'more' }
    this.#pending = undefined
    return this.#whole(pending, have)
  }

  #whole(update: Pending, have: ControllerPlan | undefined): Taken {
    if (update.base !== '' && update.base !== have?.revision)
      return refused(`the update is for plan ${update.base}, this node has ${have?.revision ?? 'none'}`)
    const before = update.base === '' ? [] : (have?.pieces ?? [])
    try {
      const pieces = changed(before, update)
      const left = update.refused === undefined ? (have?.refused ?? []) : violationsOf(update.refused)
      const plan = controllerPlan(this.#node, pieces, left)
      if (plan.revision === update.revision) return { type: 'plan', plan }
      return refused(`the pieces are plan ${plan.revision} of node ${this.#node}, not ${update.revision}`)
    } catch (error) {
      return refused(messageOf(error))
    }
  }
}

/** @throws PieceError when a piece makes no sense to this version */
export function controllerPlan(node: string, pieces: readonly Piece[], left: readonly Violation[]): ControllerPlan {
  const plan = checkedPlan(planOf(node, pieces), pieces)
  return { revision: revisionOfPieces(node, pieces), pieces, plan, refused: left }
}

export function storedPlan({ revision, pieces, refused: left }: ControllerPlan): StoredControllerPlan {
  return {
    revision,
    pieces: Object.fromEntries(pieces.map(({ key, json }) => [key, Buffer.from(json).toString()])),
    refused: left,
  }
}

/** What was stored, if it is of this node and makes sense to this version. */
export function restoredPlan(node: string, stored: StoredControllerPlan): ControllerPlan | undefined {
  try {
    const pieces = Object.entries(stored.pieces).map(([key, text]) => ({ key, json: Buffer.from(text) }))
    const plan = controllerPlan(node, pieces, stored.refused)
    return plan.revision === stored.revision ? plan : undefined
  } catch {
    return undefined
  }
}

function violationsOf(json: Uint8Array): readonly Violation[] {
  const value: unknown = JSON.parse(Buffer.from(json).toString())
  if (!Array.isArray(value)) throw new Error('the list of refused objects is no list')
  return value as readonly Violation[]
}

const refused = (error: string): Taken => ({ type: 'refused', error })
