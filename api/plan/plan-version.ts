/**
 * A node's plan as the controller holds it for thousands of nodes: pieces that most nodes share, and what is the node's
 * own. Two versions can be compared without laying either out.
 */
import type { Violation } from '../rules/violation.ts'

/** A part of a plan that changes as one. Key: `router`, `passthrough`, `vrf/red`, `segment/110`. */
export interface Piece {
  readonly key: string
  /** Canonical JSON of that part of NodePlan, UTF-8. Shared between nodes: not to be written to. */
  readonly json: Uint8Array
}

export interface PlanChange {
  readonly set: readonly Piece[]
  /** Keys. */
  readonly remove: readonly string[]
}

export interface PlanVersion {
  readonly node: string
  readonly revision: string
  /** What of the node's objects is left out. The same list, by identity, as long as it says the same. */
  readonly refused: readonly Violation[]
  /**
   * What turns `before`, a version of the same node from the same planner, into this one; without `before` everything.
   * Costs as much as what differs.
   */
  changesSince(before?: PlanVersion): PlanChange
}
