/** What no other node shares: its router and its passthrough. Worked out anew only when something of it changed. */
import type { L3Passthrough } from '../kinds/l3passthrough.ts'
import type { Underlay } from '../kinds/underlay.ts'
import { refOf, type Violation } from '../rules/violation.ts'
import type { NodeFacts } from './node-facts.ts'
import type { RouterPlan } from './node-plan.ts'
import { ownPieces, type OwnPieces } from './node-version.ts'
import { numberTaken, type NumberHolders } from './number-holders.ts'
import { plannedPassthrough } from './passthrough.ts'
import { plannedRouter, type PlannedRouter } from './router.ts'
import type { Secrets } from './session.ts'

export interface OwnPart {
  readonly facts: NodeFacts
  readonly underlay: Underlay | undefined
  readonly passthrough: L3Passthrough | undefined
  readonly secrets: Secrets
  readonly planned: PlannedRouter
  readonly router: RouterPlan | undefined
  readonly pieces: OwnPieces
  readonly refused: readonly Violation[]
}

const NO_ROUTER: PlannedRouter = { vteps: [], refused: [] }

/** The very `before` when nothing that it was made of changed. */
export function ownPart(
  facts: NodeFacts,
  underlay: Underlay | undefined,
  passthrough: L3Passthrough | undefined,
  secrets: Secrets,
  holders: NumberHolders,
  before: OwnPart | undefined,
): OwnPart {
  const same = before && sameNumbers(before.facts, facts) && before.secrets === secrets
  const sameRouter = same && before.underlay === underlay && sameHolder(before, holders)
  if (sameRouter && before.passthrough === passthrough) return before
  const planned = sameRouter ? before.planned : underlay ? plannedRouter(underlay, facts, secrets, holders) : NO_ROUTER
  const { router } = planned
  const passed = router && passthrough ? plannedPassthrough(passthrough, router, facts, secrets) : { refused: [] }
  return {
    facts,
    underlay,
    passthrough,
    secrets,
    planned,
    router,
    pieces: ownPieces(facts.name, router, passed.session),
    refused: [...planned.refused, ...passed.refused],
  }
}

function sameHolder({ facts, underlay, planned }: OwnPart, holders: NumberHolders): boolean {
  if (!underlay) return true
  const now = numberTaken(refOf(underlay), facts, planned.vteps, holders)
  const then = planned.refused.find(({ reason }) => reason === 'IndexConflict' || reason === 'AddressConflict')
  return now?.message === then?.message
}

export function sameNumbers(a: NodeFacts, b: NodeFacts): boolean {
  return (
    a === b ||
    (a.name === b.name &&
      a.index === b.index &&
      a.routerID === b.routerID &&
      a.exhausted?.join() === b.exhausted?.join() &&
      (a.vteps === b.vteps || a.vteps?.join() === b.vteps?.join()))
  )
}
