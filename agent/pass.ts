/** What one pass of the reconciler knows: whose work is held back, what failed, what was left to do at the end. */
import { type NodePlan, type ResourceRef } from '../api/plan/node-plan.ts'
import type { Remark, Step } from './ports.ts'
import { keyOfRef, type Failure, type Outcome } from './resource-state.ts'

/** The key of what serves the node as a whole. */
export const NODE = ''

export const FRR_AWAY = 'FRR is away: '

export function keyOf(step: { readonly for?: ResourceRef }): string {
  return step.for === undefined ? NODE : keyOfRef(step.for)
}

export interface Finding {
  readonly ref?: ResourceRef
  readonly outcome: Outcome
}

export class Pass {
  readonly plan: NodePlan
  /** The plan's resources by their key. */
  readonly wanted: ReadonlyMap<string, ResourceRef>
  readonly #held: ReadonlySet<string>
  /** Resources that are not in the plan, and failed or had something to be done in this pass. */
  readonly #others = new Map<string, ResourceRef>()
  readonly #failures = new Map<string, Failure>()
  readonly #unsupported = new Map<string, string>()
  readonly #waiting = new Map<string, string>()
  readonly #left = new Map<string, Step[]>()
  /** Why FRR cannot be asked. */
  frrAway: string | undefined
  /** Whether everything was looked at after the last change: only then may something be called ready. */
  verified = false

  /** `held`: keys of resources whose next try is in the future. */
  constructor(plan: NodePlan, wanted: ReadonlyMap<string, ResourceRef>, held: ReadonlySet<string>) {
    this.plan = plan
    this.wanted = wanted
    this.#held = held
  }

  /**
   * The steps whose resource has neither failed in this pass nor waits for its next try. An Underlay goes on after a
   * failure: it is made of NICs and neighbours that do without each other, and everything else stands on it.
   */
  allowed<S extends Step>(steps: readonly S[]): S[] {
    return steps.filter((step) => {
      const key = keyOf(step)
      return !this.#held.has(key) && (step.for?.kind === 'Underlay' || !this.#failures.has(key))
    })
  }

  /** The first failure of a resource is the one that is told. */
  fail(failures: readonly Failure[]): void {
    for (const failure of failures) {
      const key = keyOf(failure)
      this.#concern(key, failure.for)
      if (!this.#failures.has(key)) this.#failures.set(key, failure)
    }
  }

  /** Whether the resource is in the plan, failed, or had something to be done in this pass. */
  concerns(key: string): boolean {
    return this.wanted.has(key) || this.#others.has(key)
  }

  #concern(key: string, ref: ResourceRef | undefined): void {
    if (ref !== undefined && !this.wanted.has(key)) this.#others.set(key, ref)
  }

  get nodeFailed(): boolean {
    return this.#failures.has(NODE)
  }

  /** Replaces what was left by what an observation shows now. */
  left(steps: readonly Step[]): void {
    this.#left.clear()
    for (const step of steps) {
      const key = keyOf(step)
      this.#concern(key, step.for)
      const known = this.#left.get(key)
      if (known === undefined) this.#left.set(key, [step])
      else known.push(step)
    }
  }

  unsupported(remarks: readonly Remark[]): void {
    for (const remark of remarks) this.#unsupported.set(keyOf(remark), remark.message)
  }

  waiting(remarks: readonly Remark[]): void {
    for (const remark of remarks) this.#waiting.set(keyOf(remark), remark.message)
  }

  /**
   * What became of the resources that there is something to say of, and of those that were `unready` before. All others
   * stay as they were: those that are ready, held ones with work left, all when not verified.
   */
  findings(unready: Iterable<string>): Map<string, Finding> {
    const all = this.frrAway === undefined ? [] : this.wanted.keys()
    const told = [this.#failures, this.#left, this.#unsupported, this.#waiting, this.#others]
    const keys = new Set([NODE, ...all, ...told.flatMap((each) => [...each.keys()])])
    for (const key of unready) if (this.wanted.has(key)) keys.add(key)
    const findings = new Map<string, Finding>()
    for (const key of keys) {
      const outcome = this.#outcome(key)
      const ref = this.wanted.get(key) ?? this.#others.get(key)
      if (outcome !== undefined) findings.set(key, { ...(ref === undefined ? {} : { ref }), outcome })
    }
    return findings
  }

  #outcome(key: string): Outcome | undefined {
    const failure = this.#failures.get(key)
    const left = this.#left.get(key) ?? []
    if (this.#held.has(key) && (failure !== undefined || left.length > 0)) return undefined
    if (failure !== undefined) {
      return { type: 'failed', reason: failure.reason, message: failure.message, permanent: failure.permanent }
    }
    const unsupported = this.#unsupported.get(key)
    if (unsupported !== undefined) return { type: 'unsupported', message: unsupported }
    if (this.frrAway !== undefined && key !== NODE) return { type: 'waiting', message: `${FRR_AWAY}${this.frrAway}` }
    const [first] = left
    if (first !== undefined) {
      const message = `${left.length} differences stay after they were applied, the first: ${first.text}`
      return { type: 'failed', reason: 'NotConverging', message, permanent: false }
    }
    const waiting = this.#waiting.get(key)
    if (waiting !== undefined) return { type: 'waiting', message: waiting }
    return this.verified ? { type: 'ready' } : undefined
  }
}
