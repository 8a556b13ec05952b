/**
 * Makes the node what the plan says, over and over: observe, create, configure FRR, raise, plug in, remove, verify, report.
 *
 * Level-triggered: a pass compares all that is there with all that should be, whatever woke it, and does only what
 * differs. The kernel's and FRR's side may know from events what is there; the slow resync makes them look. The order is
 * the one FRR survives: links exist, down, before FRR names them; they are raised when zebra knows their VNIs; FRR lets
 * go of them before they are deleted. A failure ends the work for its own resource in that pass and no other's.
 */
import type { Log } from '../log/log.ts'
import { messageOf } from '../log/log.ts'
import { Lead } from './lead.ts'
import { FrrAwayError, type FrrPort, type KernelPort, type Step } from './ports.ts'
import { keyOf, type Pass } from './pass.ts'
import { Progress, type ProgressReport } from './progress.ts'
import { keyOfRef, type ResourceState } from './resource-state.ts'
import { ResourceStates, type Clock, type ResourceReport } from './resource-states.ts'
import type { Look } from './resync.ts'
import type { Planned } from './source/planned.ts'

/** What the last pass did. */
export interface PassReport {
  readonly at: number
  readonly durationMs: number
  readonly reasons: readonly string[]
  readonly netlinkWrites: number
  readonly frrCommands: number
}

/** Revisions of the controller's plan. */
export interface ControllerProgress {
  /** Everything of it was tried at least once. */
  readonly tried?: string
  /** It was last seen wholly in place. */
  readonly applied?: string
}

/** Reasons for which nothing that is known from before is trusted. */
const FRESH: ReadonlySet<string> = new Set(['start', 'resync', 'asked'])

/** A change may need a second round, for what depends on the first; more means that it does not converge. */
const ROUNDS = 2

/** Steps of a pass that take memory for a moment. */
const MUCH = 100

interface Seen<Op, C> {
  readonly create: readonly Op[]
  readonly commands: readonly C[]
  readonly raise: readonly Op[]
  readonly plug: readonly Op[]
  readonly remove: readonly Op[]
  readonly switching: boolean
}

export class Reconciler<Op extends Step, C extends Step> {
  readonly #kernel: KernelPort<Op>
  readonly #frr: FrrPort<C>
  readonly #log: Log
  readonly #clock: Clock
  readonly #states: ResourceStates
  #planned: Planned | undefined
  #applied: string | undefined
  #controller: ControllerProgress = {}
  #frrAway: string | undefined
  #lastPass: PassReport | undefined
  #passes = 0
  /** Of all passes, in milliseconds. */
  readonly #phases = new Map<string, number>()
  #lastLook: Look = { endMs: performance.now(), tookMs: 0 }
  #progress: Progress | undefined
  /** What had a step since FRR was last asked what it knows; undefined: everything may have. */
  #touched: Set<string> | undefined

  constructor(kernel: KernelPort<Op>, frr: FrrPort<C>, log: Log, clock: Clock) {
    this.#kernel = kernel
    this.#frr = frr
    this.#log = log
    this.#clock = clock
    this.#states = new ResourceStates(log, clock)
  }

  /** Says what is wanted from the next pass on. Another plan is a reason to try again at once what has failed. */
  want(planned: Planned): void {
    const changed = planned.revision !== this.#planned?.revision
    this.#planned = planned
    if (changed) this.retryNow()
  }

  /** Lets the next pass try what waits for its next try. */
  retryNow(): void {
    this.#states.retryNow()
  }

  /** One pass; nothing happens as long as no plan is known. Never throws. */
  async pass(reasons: readonly string[], signal: AbortSignal): Promise<void> {
    const planned = this.#planned
    if (planned === undefined) return
    const at = this.#clock.now()
    const [started, writes, commands] = [performance.now(), this.#kernel.writes, this.#frr.commands]
    const pass = this.#states.begin(planned.plan)
    const fresh = reasons.some((reason) => FRESH.has(reason))
    const progress = new Progress(this.#log, this.#clock.now)
    this.#progress = progress
    try {
      await this.#reconcile(pass, fresh, progress, signal)
    } catch (error) {
      pass.fail([{ reason: 'InternalError', message: messageOf(error), permanent: false }])
    } finally {
      this.#progress = undefined
      for (const [phase, ms] of progress.end()) this.#phases.set(phase, (this.#phases.get(phase) ?? 0) + ms)
    }
    // What was left undone because of the stop says nothing about the resources.
    if (signal.aborted) return
    this.#report(pass, planned)
    this.#passes++
    if (fresh) this.#lastLook = { endMs: performance.now(), tookMs: performance.now() - started }
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

  async #reconcile(pass: Pass, fresh: boolean, progress: Progress, signal: AbortSignal): Promise<void> {
    if (fresh) this.#touched = undefined
    for (let round = 0; ; round++) {
      progress.phase('looking')
      const seen = await this.#observe(pass, fresh && round === 0)
      const { create, commands, raise, plug, remove } = seen
      const steps = pass.allowed<Step>([...create, ...commands, ...raise, ...plug, ...remove])
      if (signal.aborted) return
      if (steps.length === 0 || round === ROUNDS) break
      progress.round(steps.length)
      const touched = new Set(steps.map(keyOf))
      for (const key of touched) this.#touched?.add(key)
      const changes = this.#changes
      if (seen.switching) await this.#letGo(pass, progress, signal)
      await this.#do(pass, 'making links', create, progress, signal)
      await this.#configure(pass, seen.switching ? await this.#frrCommands(pass, false) : commands, progress, signal)
      await this.#do(pass, 'raising links', raise, progress, signal)
      // What a workload says through a port before zebra has taken up the SVI, it misses for good.
      if (plug.length > 0) await this.#catchUp(pass, touched, progress, signal)
      await this.#do(pass, 'plugging in', plug, progress, signal)
      if (pass.frrAway === undefined && !pass.nodeFailed) await this.#do(pass, 'removing', remove, progress, signal)
      if (this.#changes === changes) break
    }
    await this.#tellAgain(pass, progress, signal)
    progress.phase('asking FRR what it knows')
    await this.#verify(pass)
  }

  /** What differs now, in the kernel and in FRR. */
  async #observe(pass: Pass, fresh: boolean): Promise<Seen<Op, C>> {
    const kernel = await this.#kernel.differences(pass.plan, fresh)
    pass.fail(kernel.failures)
    pass.unsupported(kernel.unsupported)
    const commands = await this.#frrCommands(pass, fresh)
    const { create, raise, plug = [], remove, switching = false } = kernel
    pass.left([...create, ...commands, ...raise, ...plug, ...remove])
    return { create, commands, raise, plug, remove, switching }
  }

  #frrCommands(pass: Pass, fresh: boolean): Promise<readonly C[]> {
    return this.#asked(pass, [], async () => {
      const frr = await this.#frr.differences(pass.plan, fresh)
      pass.unsupported(frr.unsupported)
      return frr.commands
    })
  }

  /** zebra does not survive that what its L3VNIs stand on is taken from under them. */
  async #letGo(pass: Pass, progress: Progress, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#frr.letGo === undefined) return
    progress.phase('taking L3VNIs from FRR')
    await this.#asked(pass, undefined, async () => pass.fail((await this.#frr.letGo?.(pass.plan, signal)) ?? []))
  }

  async #do(
    pass: Pass,
    doing: string,
    operations: readonly Op[],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const allowed = pass.allowed(operations)
    if (allowed.length === 0) return
    progress.phase(doing, allowed.length)
    this.#logSteps('kernel', allowed)
    const lead = new Lead(() => this.#asked(pass, undefined, async () => this.#frr.answers?.()), signal)
    const done = (count: number): Promise<void> | undefined => {
      progress.done(count)
      return lead.keep()
    }
    pass.fail(await this.#kernel.apply(allowed, signal, done))
  }

  async #configure(pass: Pass, commands: readonly C[], progress: Progress, signal: AbortSignal): Promise<void> {
    const allowed = pass.allowed(commands)
    if (allowed.length === 0 || pass.frrAway !== undefined) return
    progress.phase('configuring FRR', allowed.length)
    this.#logSteps('frr', allowed)
    const done = (count: number): void => progress.done(count)
    await this.#asked(pass, undefined, async () => pass.fail(await this.#frr.apply(allowed, signal, done)))
  }

  async #catchUp(pass: Pass, touched: ReadonlySet<string>, progress: Progress, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    progress.phase('waiting for FRR')
    await this.#asked(pass, undefined, async () => this.#frr.caughtUp?.(pass.plan, touched, signal))
  }

  /** FRR learns of links in their order: when it knows the last port that came it knows them all. */
  async #tellAgain(pass: Pass, progress: Progress, signal: AbortSignal): Promise<void> {
    const port = this.#kernel.entered?.at(-1)
    if (port === undefined || signal.aborted) return
    progress.phase('waiting for FRR')
    await this.#asked(pass, undefined, async () => {
      if ((await this.#frr.knowsPort?.(port, signal)) !== false) this.#kernel.tellAgain?.()
    })
  }

  /** FRR may be configured and still not know a VNI: its device is not up yet, or zebra is behind. */
  async #verify(pass: Pass): Promise<void> {
    await this.#asked(pass, undefined, async () => {
      pass.waiting(await this.#frr.missing(pass.plan, this.#touched))
      const unheard = this.#kernel.entered ?? []
      pass.waiting(unheard.map(({ name, for: ref }) => ({ for: ref, message: `zebra does not know port ${name} yet` })))
      this.#touched = new Set()
    })
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

  #report(pass: Pass, planned: Planned): void {
    this.#states.take(pass)
    // One that comes back is asked about everything.
    if (pass.frrAway !== undefined) this.#touched = undefined
    if (pass.frrAway !== this.#frrAway) {
      if (pass.frrAway === undefined) this.#log.info('FRR answers')
      else this.#log.warn('FRR is away', { why: pass.frrAway })
      this.#frrAway = pass.frrAway
    }
    const { revision, controllerRevision: tried, fromFiles } = planned
    if (this.#states.settled && this.#frrAway === undefined) this.#applied = revision
    if (tried === undefined) return
    const done = this.#frrAway === undefined && this.#states.settledBut(fromFiles ?? [])
    this.#controller = { ...this.#controller, tried, ...(done ? { applied: tried } : {}) }
  }

  #logSteps(where: string, steps: readonly Step[]): void {
    for (const step of steps) {
      this.#log.debug(step.text, { where, for: step.for === undefined ? 'node' : keyOfRef(step.for) })
    }
  }

  /** How long until something should be looked at again without being woken; undefined: not before the resync. */
  get dueMs(): number | undefined {
    return this.#states.dueMs
  }

  /** Every resource that is wanted, or still has something on the node that cannot be removed. */
  get resources(): readonly ResourceReport[] {
    return this.#states.resources
  }

  /** What is wrong with the node as a whole. */
  get nodeState(): ResourceState | undefined {
    return this.#states.node
  }

  /** The last revision that was seen wholly in place. */
  get appliedRevision(): string | undefined {
    return this.#applied
  }

  /** How far the controller's part of the plan is, whatever becomes of the files' own. */
  get controllerProgress(): ControllerProgress {
    return this.#controller
  }

  get frrAway(): string | undefined {
    return this.#frrAway
  }

  /** Of the pass that runs; undefined when none does. */
  get progress(): ProgressReport | undefined {
    return this.#progress?.report
  }

  get passes(): number {
    return this.#passes
  }

  /** Milliseconds that passes were in each phase since the start. */
  get phases(): ReadonlyMap<string, number> {
    return this.#phases
  }

  /** The last pass that looked at everything anew. */
  get lastLook(): Look {
    return this.#lastLook
  }

  /** Whether the last pass changed something on the node. */
  get changedLast(): boolean {
    const last = this.#lastPass
    return last !== undefined && last.netlinkWrites + last.frrCommands > 0
  }

  /** Whether the last pass did much; to look at everything anew is much. */
  get workedMuch(): boolean {
    const last = this.#lastPass
    if (last === undefined) return false
    return last.netlinkWrites + last.frrCommands >= MUCH || last.reasons.some((reason) => FRESH.has(reason))
  }

  get lastPass(): PassReport | undefined {
    return this.#lastPass
  }
}
