/** A plan with what belongs to it: where it came from, and what was left out of it. */
import type { NodePlan } from '../../api/plan/node-plan.ts'
import type { Violation } from '../../api/rules/violation.ts'

export interface Planned {
  readonly plan: NodePlan
  /** Hash of the plan. */
  readonly revision: string
  readonly refused: readonly Violation[]
  /** `configuration`: read from the files. `last-good`: the stored plan, because the files cannot be read. */
  readonly from: 'configuration' | 'last-good'
}
