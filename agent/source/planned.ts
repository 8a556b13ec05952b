/** A plan with what belongs to it: where it came from, and what was left out of it. */
import type { NodePlan } from '../../api/plan/node-plan.ts'
import type { Violation } from '../../api/rules/violation.ts'

export interface Planned {
  readonly plan: NodePlan
  /** Hash of the plan. */
  readonly revision: string
  readonly refused: readonly Violation[]
  /**
   * `controller`: its plan, with what the files add. `configuration`: read from the files. `last-good`: the stored plan,
   * because the files cannot be read.
   */
  readonly from: 'controller' | 'configuration' | 'last-good'
  /** Revision of the controller's plan that is in it. */
  readonly controllerRevision?: string
  /** Resources of the plan that are the files' (`L3VNI/red`), where a controller's plan is in it. */
  readonly fromFiles?: readonly string[]
}
