/**
 * Makes the node what the plan says, over and over: observe, create, configure FRR, raise, remove, verify, report.
 *
 * Level-triggered: a pass looks at everything that is there, whatever woke it, and does only what differs. The order is
 * the one FRR survives: links exist, down, before FRR names them; they are raised when zebra knows their VNIs; FRR lets
 * go of them before they are deleted. A failure ends the work for its own resource in that pass and no other's.
 */
import type { ResourceRef } from '../api/plan/node-plan.ts'
import type { Log } from './log.ts'
import { messageOf } from './log.ts'
import { FrrAwayError, type FrrPort, type KernelPort, type Step } from './ports.ts'
import { FRR_AWAY, NODE, Pass } from './pass.ts'
import { isHeldBack, keyOfRef, nextState, resourcesOf, type ResourceState } from './resource-state.ts'
import type { Planned } from './source/planned.ts'

export interface Clock {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** 0 to 1. */
  readonly random: () => number
}

export interface ResourceReport {
  readonly ref: ResourceRef
  readonly state: ResourceState
}

/** What the last pass did. */
export interface PassReport {
  readonly at: number
  readonly durationMs: number
  readonly reasons: readonly string[]
  readonly netlinkWrites: number
  readonly frrCommands: number
}

/** A change may need a second round, for what depends on the first; more means that it does not converge. */
const ROUNDS = 2
const SOONEST_LOOK_MS = 500
const LATEST_LOOK_MS = 30_000

interface Seen<Op, C> {
  readonly create: readonly Op[]
  readonly commands: readonly C[]
  readonly raise: readonly Op[]
  readonly remove: readonly Op[]
}

export class Reconciler<Op extends Step, C extends Step> {
  readonly #kernel: KernelPort<Op>
  readonly #frr: FrrPort<C>
  readonly #log: Log
  readonly #clock: Clock
  readonly #states = new Map<string, { ref?: ResourceRef; state: ResourceState }>()
  #planned: Planned | undefined
  #retry = false
  #applied: string | undefined
  #frrAway: string | undefined
  #lastPass: PassReport | undefined
  #passes = 0

  constructor(kernel: KernelPort<Op>, frr: FrrPort<C>, log: Log, clock: Clock) {
    this.#kernel = kernel
    this.#frr = frr
    this.#log = log
    this.#clock = clock
  }

  /** Says what is wanted from the next pass on. Another plan is a reason to try again at once what has failed. */
  want(planned: Planned): void {
    const changed = planned.revision !== this.#planned?.revision
    this.#planned = planned
    if (changed) this.retryNow()
  }

  /** Lets the next pass try what waits for its next try. */
  retryNow(): void {
    this.#retry = true
  }

  /** One pass; nothing happens as long as no plan is known. Never throws. */
  async pass(reasons: readonly string[], signal: AbortSignal): Promise<void> {
    const planned = this.#planned
    if (planned === undefined) return
    const at = this.#clock.now()
    const [started, writes, commands] = [performance.now(), this.#kernel.writes, this.#frr.commands]
    const pass = new Pass(planned.plan, this.#begin(planned, at))
    try {
      await this.#reconcile(pass, signal)
    } catch (error) {
      if (signal.aborted) return
      pass.fail([{ reason: 'InternalError', message: messageOf(error), permanent: false }])
    }
    this.#report(pass, planned)
    this.#passes++
    this.#lastPass = {
      at,
      reasons,
      durationMs: Math.round(performance.now() - started),
      netlinkWrites: this.#kernel.writes - writes,
      frrCommands: this.#frr.commands - commands,
    }
    const { netlinkWrites, frrCommands, durationMs } = this.#lastPass
    if (netlinkWrites + frrCommands > 0) {
      const why = reasons.join(',')
      this.#log.info('node changed', { why, revision: planned.revision, netlinkWrites, frrCommands, durationMs })
    }
  }

  async #reconcile(pass: Pass, signal: AbortSignal): Promise<void> {
    for (let round = 0; ; round++) {
      const seen = await this.#observe(pass)
      const steps = pass.allowed<Step>([...seen.create, ...seen.commands, ...seen.raise, ...seen.remove])
      if (signal.aborted) return
      if (steps.length === 0 || round === ROUNDS) break
      const changes = this.#changes
      await this.#do(pass, seen.create, signal)
      await this.#configure(pass, seen.commands, signal)
      await this.#do(pass, seen.raise, signal)
      if (pass.frrAway === undefined && !pass.nodeFailed) await this.#do(pass, seen.remove, signal)
      if (this.#changes === changes) break
    }
    await this.#verify(pass)
  }

  /** What differs now, in the kernel and in FRR. */
  async #observe(pass: Pass): Promise<Seen<Op, C>> {
    const kernel = await this.#kernel.differences(pass.plan)
    pass.fail(kernel.failures)
    pass.unsupported(kernel.unsupported)
    const commands = await this.#asked(pass, [], async () => {
      const frr = await this.#frr.differences(pass.plan)
      pass.unsupported(frr.unsupported)
      return frr.commands
    })
    pass.left([...kernel.create, ...commands, ...kernel.raise, ...kernel.remove])
    return { create: kernel.create, commands, raise: kernel.raise, remove: kernel.remove }
  }

  async #do(pass: Pass, operations: readonly Op[], signal: AbortSignal): Promise<void> {
    const allowed = pass.allowed(operations)
    if (allowed.length === 0) return
    this.#logSteps('kernel', allowed)
    pass.fail(await this.#kernel.apply(allowed, signal))
  }

  async #configure(pass: Pass, commands: readonly C[], signal: AbortSignal): Promise<void> {
    const allowed = pass.allowed(commands)
    if (allowed.length === 0 || pass.frrAway !== undefined) return
    this.#logSteps('frr', allowed)
    await this.#asked(pass, undefined, async () => pass.fail(await this.#frr.apply(allowed, signal)))
  }

  /** FRR may be configured and still not know a VNI: its device is not up yet, or zebra is behind. */
  async #verify(pass: Pass): Promise<void> {
    await this.#asked(pass, undefined, async () => pass.waiting(await this.#frr.missing(pass.plan)))
    pass.verified = true
  }

  /** Asks FRR; when it is away that is noted, and `otherwise` is the answer. */
  async #asked<T>(pass: Pass, otherwise: T, ask: () => Promise<T>): Promise<T> {
    if (pass.frrAway !== undefined) return otherwise
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof FrrAwayError)) throw error
      pass.frrAway = error.message
      return otherwise
    }
  }

  /** Grows with everything that is done. */
  get #changes(): number {
    return this.#kernel.writes + this.#frr.commands
  }

  /** What waits for its next try; resources seen for the first time are Pending from now on. */
  #begin(planned: Planned, now: number): ReadonlySet<string> {
    for (const ref of resourcesOf(planned.plan)) {
      const key = keyOfRef(ref)
      if (!this.#states.has(key))
        this.#states.set(key, { ref, state: { state: 'Pending', since: now, message: 'seen' } })
    }
    if (this.#retry) {
      this.#retry = false
      for (const entry of this.#states.values()) {
        if (entry.state.state === 'Failed') entry.state = { ...entry.state, attempts: 0, nextTry: now }
      }
    }
    const held = [...this.#states].filter(([, { state }]) => isHeldBack(state, now))
    return new Set(held.map(([key]) => key))
  }

  #report(pass: Pass, planned: Planned): void {
    const now = this.#clock.now()
    const findings = pass.findings()
    const wanted = new Set([NODE, ...resourcesOf(planned.plan).map(keyOfRef)])
    for (const [key, { ref, outcome }] of findings) {
      const was = this.#states.get(key)?.state
      const state = nextState(was, outcome, now, this.#clock.random())
      if (state.state === 'Ready' && (!wanted.has(key) || key === NODE)) this.#states.delete(key)
      else this.#states.set(key, { ...(ref === undefined ? {} : { ref }), state })
      if (tellable(key, was, state, pass)) this.#logState(key, was, state)
    }
    for (const key of this.#states.keys()) {
      if (!wanted.has(key) && !findings.has(key)) this.#states.delete(key)
    }
    if (pass.frrAway !== this.#frrAway) {
      if (pass.frrAway === undefined) this.#log.info('FRR answers')
      else this.#log.warn('FRR is away', { why: pass.frrAway })
      this.#frrAway = pass.frrAway
    }
    const settled = [...this.#states.values()].every(
      ({ state }) => state.state === 'Ready' || state.state === 'Unsupported',
    )
    if (settled && this.#frrAway === undefined) this.#applied = planned.revision
  }

  #logState(key: string, was: ResourceState | undefined, state: ResourceState): void {
    const same =
      was?.state === state.state &&
      (state.state !== 'Failed' || (was.state === 'Failed' && was.reason === state.reason))
    if (same) return
    const resource = key === NODE ? 'node' : key
    if (state.state === 'Failed') {
      const { reason, message, nextTry } = state
      this.#log.warn('resource failed', { resource, reason, message, nextTry: new Date(nextTry).toISOString() })
    } else {
      const message = 'message' in state ? state.message : undefined
      this.#log.info(`resource is ${state.state}`, { resource, message })
    }
  }

  #logSteps(where: string, steps: readonly Step[]): void {
    for (const step of steps) {
      this.#log.debug(step.text, { where, for: step.for === undefined ? 'node' : keyOfRef(step.for) })
    }
  }

  /** How long until something should be looked at again without being woken; undefined: not before the resync. */
  dueMs(): number | undefined {
    const now = this.#clock.now()
    const waits = [...this.#states.values()].flatMap(({ state }) => {
      if (state.state === 'Failed') return [Math.max(0, state.nextTry - now)]
      if (state.state !== 'Applying') return []
      return [Math.min(LATEST_LOOK_MS, Math.max(SOONEST_LOOK_MS, now - state.since))]
    })
    return waits.length === 0 ? undefined : Math.min(...waits)
  }

  /** Every resource that is wanted, or still has something on the node that cannot be removed. */
  get resources(): readonly ResourceReport[] {
    return [...this.#states.values()].flatMap(({ ref, state }) => (ref === undefined ? [] : [{ ref, state }]))
  }

  /** What is wrong with the node as a whole. */
  get nodeState(): ResourceState | undefined {
    return this.#states.get(NODE)?.state
  }

  get planned(): Planned | undefined {
    return this.#planned
  }

  /** The last revision that was seen wholly in place. */
  get appliedRevision(): string | undefined {
    return this.#applied
  }

  get frrAway(): string | undefined {
    return this.#frrAway
  }

  get passes(): number {
    return this.#passes
  }

  get lastPass(): PassReport | undefined {
    return this.#lastPass
  }
}

/** That FRR comes and goes is said once, not for every resource that waits for it. */
function tellable(key: string, was: ResourceState | undefined, state: ResourceState, pass: Pass): boolean {
  if (key === NODE && was === undefined) return state.state !== 'Ready'
  if (pass.frrAway !== undefined) return state.state !== 'Applying'
  return !(state.state === 'Ready' && was?.state === 'Applying' && was.message.startsWith(FRR_AWAY))
}
