/**
 * The controller's plan, from update to update. Pure: what comes of an update is returned, nothing is done.
 *
 * An update counts when its last message has come and its pieces give the revision that it names. Anything else is
 * refused with a reason, and what was there stays.
 */
import { textOfPiece } from '../../api/plan/pieces.ts'
import type { Piece } from '../../api/plan/plan-version.ts'
import { revisionText } from '../../api/plan/revision.ts'
import type { Violation } from '../../api/rules/violation.ts'
import type { PlanUpdate } from '../../api/wire/generated/distribution_pb.ts'
import { messageOf } from '../../log/log.ts'
import type { StoredControllerPlan } from './last-good-file.ts'
import type { StoredChange } from './last-good-changes.ts'
import { changedPlan, emptyPlan, type HeldPlan } from './held-plan.ts'

export interface ControllerPlan extends HeldPlan {
  readonly revision: string
  /** Objects that are not in the plan, and why. */
  readonly refused: readonly Violation[]
  /** The controller's name for that list: what it has said once it does not say again. */
  readonly refusedDigest: string
}

/** What the plan leaves out, and the controller's name for it. */
export type Left = Pick<ControllerPlan, 'refused' | 'refusedDigest'>

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
  left: { readonly json: Uint8Array; readonly digest: string } | undefined
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
    const pending = (this.#pending ??= { base, revision, set: [], remove: [], left: undefined, bytes: 0 })
    if (pending.base !== base || pending.revision !== revision) {
      this.#pending = undefined
      return refusal(`an update to ${revision} began before the one to ${pending.revision} was whole`)
    }
    for (const { key, json } of update.set) pending.set.push({ key, json })
    pending.remove.push(...update.remove)
    if (update.refused !== undefined) pending.left = { json: update.refused, digest: update.refusedDigest }
    pending.bytes += update.set.reduce((sum, { json }) => sum + json.length, 0)
    if (pending.bytes > LARGEST_BYTES) {
      this.#pending = undefined
      return refusal(`the update to ${revision} has more than ${LARGEST_BYTES} bytes`)
    }
    if (more) return { type: 'more' }
    this.#pending = undefined
    return this.#whole(pending, have)
  }

  #whole(update: Pending, have: ControllerPlan | undefined): Taken {
    if (update.base !== '' && update.base !== have?.revision)
      return refusal(`the update is for plan ${update.base}, this node has ${have?.revision ?? 'none'}`)
    const nothing = emptyPlan(this.#node)
    const texts = update.set.map((piece) => [piece.key, textOfPiece(piece)] as const)
    try {
      const held = changedPlan(
        update.base === '' ? nothing : (have ?? nothing),
        { set: texts, remove: update.remove },
        have?.plan.node === this.#node ? have : nothing,
      )
      const plan = controllerPlan(held, update.left ? leftOf(update.left) : (have ?? NOTHING_LEFT))
      if (plan.revision === update.revision) return { type: 'plan', plan }
      return refusal(`the pieces are plan ${plan.revision} of node ${this.#node}, not ${update.revision}`)
    } catch (error) {
      return refusal(messageOf(error))
    }
  }
}

export function controllerPlan(held: HeldPlan, { refused, refusedDigest }: Left = NOTHING_LEFT): ControllerPlan {
  const { pieces, sum, plan } = held
  return { revision: revisionText(sum), pieces, sum, plan, refused, refusedDigest }
}

export function storedPlan({ revision, pieces, refused, refusedDigest }: ControllerPlan): StoredControllerPlan {
  return {
    revision,
    pieces: Object.fromEntries([...pieces.values()].map(({ key, text }) => [key, text])),
    refused,
    refusedDigest,
  }
}

/** What turns one into the other, as it is stored. */
export function changeBetween(before: ControllerPlan, after: ControllerPlan): StoredChange {
  const changed = [...after.pieces.values()].filter((piece) => before.pieces.get(piece.key) !== piece)
  return {
    revision: after.revision,
    set: Object.fromEntries(changed.map(({ key, text }) => [key, text])),
    remove: [...before.pieces.keys()].filter((key) => !after.pieces.has(key)),
    ...(after.refused === before.refused ? {} : { refused: after.refused, refusedDigest: after.refusedDigest }),
  }
}

/** What was stored, if it is of this node and makes sense to this version. */
export function restoredPlan(node: string, stored: StoredControllerPlan): ControllerPlan | undefined {
  try {
    const held = changedPlan(emptyPlan(node), { set: Object.entries(stored.pieces), remove: [] })
    const plan = controllerPlan(held, stored)
    return plan.revision === stored.revision ? plan : undefined
  } catch {
    return undefined
  }
}

const NOTHING_LEFT: Left = { refused: [], refusedDigest: '' }

function leftOf({ json, digest }: { readonly json: Uint8Array; readonly digest: string }): Left {
  const value: unknown = JSON.parse(Buffer.from(json).toString())
  if (!Array.isArray(value)) throw new Error('the list of refused objects is no list')
  return { refused: value as readonly Violation[], refusedDigest: digest }
}

const refusal = (error: string): Taken => ({ type: 'refused', error })
