/** A plan with what belongs to it: where it came from, what was left out of it, and whose it is. */
import type { NodePlan } from '../../api/plan/node-plan.ts'

/** A resource, or part of one, that is not in the plan. */
export interface Refusal {
  readonly kind: string
  readonly name: string
  /** One CamelCase word. */
  readonly reason: string
  readonly message: string
}

export interface Planned {
  readonly plan: NodePlan
  /** Hash of the plan. */
  readonly revision: string
  readonly refused: readonly Refusal[]
  /** `configuration`: read from the files. `last-good`: the stored plan, because the files cannot be read. */
  readonly from: 'configuration' | 'last-good'
}
