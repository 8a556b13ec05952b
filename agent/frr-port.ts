/** FRR as the reconciler sees it: `agent/frr` behind the reconciler's port, and away until it answers. */
import type { NodePlan, ResourceRef, SegmentPlan, VrfPlan } from '../api/plan/node-plan.ts'
import { DesiredTrees, usersOfBfd } from './frr/desired.ts'
import { diff } from './frr/diff.ts'
import { FrrError } from './frr/frr-error.ts'
import type { ApplyOptions, Frr } from './frr/frr.ts'
import type { CommandResult } from './frr/refusal.ts'
import type { EvpnVni } from './frr/state.ts'
import { isLocked } from './frr/zebra-deaf.ts'
import type { Command } from './frr/tree.ts'
import { caughtUp, knowsPort, letGo, missingVnis, settle, tunnelledOf, vnisOf } from './frr-vnis.ts'
import { masked, messageOf } from '../log/log.ts'
import { FrrAwayError, type EnteredPort, type FrrDifferences, type FrrPort, type Remark, type Step } from './ports.ts'
import { keyOfRef, type Failure } from './resource-state.ts'
import type { SessionStatus, VniStatus } from './status/document.ts'

export interface FrrStep extends Step {
  readonly command: Command
}

/** The part of `Frr` that is used here. */
export type FrrClient = Pick<
  Frr,
  | 'running'
  | 'apply'
  | 'vrfVnis'
  | 'bridgeOf'
  | 'evpnVnis'
  | 'vniCount'
  | 'sessions'
  | 'down'
  | 'bfdPeers'
  | 'version'
  | 'capabilities'
  | 'ownership'
  | 'commands'
  | 'connected'
  | 'late'
  | 'doubt'
  | 'known'
  | 'need'
>

export interface FrrObserved {
  readonly sessions: readonly SessionStatus[]
  readonly vnis: readonly VniStatus[]
}

/** Thousands of VNIs take FRR a second or two to print. */
const ANSWER_MS = 5000
/** What took longer to find out is told again for as long as it took: who asks often must not keep FRR from its work. */
const QUICK_MS = 500

export class FrrAdapter implements FrrPort<FrrStep> {
  #frr: FrrClient | undefined
  #why = 'it has not answered yet'
  #observing: Promise<FrrObserved> | undefined
  #observed: { readonly found: FrrObserved; readonly until: number } | undefined
  #listing: Promise<readonly VniStatus[] | undefined> | undefined
  readonly #applied: () => Promise<void>
  readonly #desired = new DesiredTrees()
  /** The commands of the last comparison, and what runs when all of them are taken. */
  #offered: { readonly commands: number; readonly becomes?: ApplyOptions['becomes'] } = { commands: 0 }
  /** VRFs and segments of the plan that zebra had when it was asked last. */
  #seen = new WeakSet<VrfPlan | SegmentPlan>()

  /** `applied` is called after FRR's configuration was changed, or was read and found right. */
  constructor(applied: () => Promise<void>) {
    this.#applied = applied
  }

  /** FRR answers. */
  connected(frr: FrrClient): void {
    this.#frr = frr
  }

  /** FRR does not answer, and why. */
  away(why: string): void {
    this.#why = why
    this.#observed = undefined
    this.#seen = new WeakSet()
  }

  get commands(): number {
    return this.#frr?.commands ?? 0
  }

  /** Undefined while FRR was never reached. */
  get version(): string | undefined {
    return this.#frr?.version
  }

  get state(): { readonly state: 'connected' | 'away'; readonly message?: string } {
    if (this.#frr?.connected !== true) return { state: 'away', message: this.#why }
    const { late } = this.#frr
    return late === undefined ? { state: 'connected' } : { state: 'away', message: behind(late) }
  }

  differences(plan: NodePlan, fresh = false): Promise<FrrDifferences<FrrStep>> {
    return this.#asking(async (frr) => {
      if (fresh) {
        frr.known.forget()
        this.#seen = new WeakSet()
      }
      const withoutBfd = await lackOfBfd(plan, frr)
      const { tree: known, age } = frr.known
      const want = this.#desired.of(plan)
      const commands = diff(want, known ?? (await frr.running()), frr.ownership)
      if (commands.length === 0) frr.known.know(want, age)
      // An agent before this one may have ended between a change and keeping it.
      if (commands.length === 0 && fresh) await this.#applied()
      // What was read before is compared with what is read after, once, before entered lines are taken for granted.
      this.#offered = {
        commands: commands.length,
        ...(known === undefined ? {} : { becomes: { tree: want, age } }),
      }
      return { commands: commands.map(stepOf), unsupported: [...unsupported(plan, frr), ...withoutBfd] }
    })
  }

  apply(steps: readonly FrrStep[], signal: AbortSignal, done?: (count: number) => void): Promise<readonly Failure[]> {
    const { commands, becomes } = this.#offered
    return this.#asking(async (frr) => {
      const results = await frr.apply(
        steps.map(({ command }) => command),
        signal,
        { becomes: steps.length === commands ? becomes : undefined, done },
      )
      if (!(await settle(frr, results, signal))) frr.doubt()
      await this.#applied()
      return failures(results)
    })
  }

  /** Takes the VNIs of all VRFs out, everything else stays; returns when zebra has let go of them, or after a bounded time. */
  letGo(_plan: NodePlan, signal: AbortSignal): Promise<readonly Failure[]> {
    return this.#asking(async (frr) => {
      const { tree, age } = frr.known
      const have = tree ?? (await frr.running())
      const want = { ...have, body: have.body.filter(({ line }) => !line.startsWith('vrf ')) }
      const commands = diff(want, have, frr.ownership)
      const becomes = tree === undefined ? undefined : { tree: want, age }
      const results = await frr.apply(commands, signal, { becomes })
      if (!(await letGo(frr, signal))) frr.doubt()
      return failures(results)
    })
  }

  missing(plan: NodePlan, touched?: ReadonlySet<string>): Promise<readonly Remark[]> {
    return this.#asking(async (frr) => {
      const asked = tunnelledOf(
        plan,
        (of) => touched === undefined || !this.#seen.has(of) || touched.has(keyOfRef(of.for)),
      )
      if (asked.length === 0) return []
      const remarks = missingVnis(asked, await vnisOf(frr, asked))
      for (const { of } of asked) this.#seen.add(of)
      for (const { of } of remarks) this.#seen.delete(of)
      return remarks.map(({ of, message }) => ({ for: of.for, message }))
    })
  }

  /**
   * Until zebra has the VNIs of the plan, or of the touched resources, that have a device; at the latest when no more came
   * for a while. A port costs zebra a walk over all ports for each VNI that comes after it. @throws FrrAwayError
   */
  caughtUp(plan: NodePlan, touched: ReadonlySet<string> | undefined, signal: AbortSignal): Promise<void> {
    const asked = tunnelledOf(plan, (of) => touched === undefined || touched.has(keyOfRef(of.for)))
    if (asked.length === 0) return Promise.resolve()
    return this.#asking((frr) => caughtUp(frr, asked, signal))
  }

  knowsPort(port: EnteredPort, signal: AbortSignal): Promise<boolean> {
    return this.#asking((frr) => knowsPort(frr, port, signal))
  }

  async answers(): Promise<void> {
    await this.#asking((frr) => frr.vniCount())
  }

  /**
   * BGP sessions and VNIs as FRR has them now; empty when it does not say. Undefined when a daemon hangs, so that the
   * status can tell it; whoever asks meanwhile waits for the same answer, so that questions do not pile up.
   */
  async observed(now: number, answerMs = ANSWER_MS): Promise<FrrObserved | undefined> {
    if (this.#observed !== undefined && performance.now() < this.#observed.until) return this.#observed.found
    this.#observing ??= this.#observe(now).finally(() => {
      this.#observing = undefined
    })
    const late = Promise.withResolvers<undefined>()
    const timer = setTimeout(() => late.resolve(undefined), answerMs)
    try {
      return await Promise.race([this.#observing, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  async #observe(now: number): Promise<FrrObserved> {
    const began = performance.now()
    const [sessions, vnis] = await Promise.all([this.sessions(now), this.vnis()])
    const found = { sessions: sessions ?? [], vnis: vnis ?? [] }
    const took = performance.now() - began
    this.#observed = took < QUICK_MS ? undefined : { found, until: began + 2 * took }
    return found
  }

  /** BGP sessions as FRR has them now; undefined when it does not say. */
  sessions(now: number): Promise<readonly SessionStatus[] | undefined> {
    return this.#told(async (frr) => (await frr.sessions()).map((session) => sessionStatus(session, now)))
  }

  /** VNIs as zebra has them now; undefined when it does not say. Whoever asks meanwhile waits for the same answer. */
  vnis(): Promise<readonly VniStatus[] | undefined> {
    this.#listing ??= this.#told(async (frr) => (await frr.evpnVnis()).map(vniStatus)).finally(() => {
      this.#listing = undefined
    })
    return this.#listing
  }

  /** Another text whenever a session came up or went down; undefined when FRR does not say. */
  down(): Promise<string | undefined> {
    return this.#told((frr) => frr.down())
  }

  async #told<T>(ask: (frr: FrrClient) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#asking(ask)
    } catch (error) {
      if (error instanceof FrrAwayError || error instanceof FrrError) return undefined
      throw error
    }
  }

  /** @throws FrrAwayError in place of what says that FRR is not there */
  async #asking<T>(ask: (frr: FrrClient) => Promise<T>): Promise<T> {
    const frr = this.#frr
    if (frr?.connected !== true) throw new FrrAwayError(this.#why)
    try {
      return await ask(frr)
    } catch (error) {
      if (!(error instanceof FrrError && AWAY.has(error.code))) throw error
      const { late } = frr
      this.#why = late === undefined ? messageOf(error) : behind(late)
      throw new FrrAwayError(this.#why, { cause: error })
    }
  }
}

const AWAY: ReadonlySet<string> = new Set(['disconnected', 'unreachable', 'busy'])

/** In words, what is wrong with a daemon that has a connection and owes answers for long. */
export const behind = (daemon: string): string =>
  `${daemon} runs and does not answer: it is busy, or hangs; it is waited for`

function stepOf(command: Command): FrrStep {
  return { command, text: textOf(command), ...(command.for === undefined ? {} : { for: command.for }) }
}

/** In words, without a password. */
function textOf({ context, line }: Command): string {
  return masked([...context, line].join(' / '))
}

/** What was refused, by resource; lines that were skipped or undone because of it say nothing new. */
export function failures(results: readonly CommandResult[]): Failure[] {
  const told = results.filter(({ outcome }) => outcome === 'refused')
  const known = new Set(told.map(({ command }) => keyOf(command.for)))
  const untold = results.filter(({ outcome, command }) => outcome === 'skipped' && !known.has(keyOf(command.for)))
  return [...told, ...untold].map(({ command, text }) => ({
    ...(command.for === undefined ? {} : { for: command.for }),
    reason: 'FRRRefused',
    message: `FRR refused "${textOf(command)}": ${masked(text)}${isLocked(text) ? LOCKED : ''}`,
    permanent: false,
  }))
}

const LOCKED = '; end the vtysh that configures, and if it stays so, restart zebra'

const keyOf = (ref: ResourceRef | undefined): string => (ref === undefined ? '' : keyOfRef(ref))

/** BFD is the only thing that takes a daemon of its own; whoever wants none does without. */
async function lackOfBfd(plan: NodePlan, frr: Pick<FrrClient, 'need'>): Promise<Remark[]> {
  const users = usersOfBfd(plan)
  if (users.length === 0) return []
  try {
    await frr.need('bfdd')
    return []
  } catch (error) {
    if (!(error instanceof FrrError) || error.code === 'disconnected') throw error
    const remedy = error.code === 'unreachable' ? 'start it (bfdd=yes in /etc/frr/daemons), or ' : ''
    const message = `sessions with BFD stay down: ${error.message}; ${remedy}leave bfd out of the spec`
    return users.map((ref) => ({ for: ref, message }))
  }
}

/** IPv6 VTEPs are the only thing of a plan that a release of FRR may lack; everything tunnelled is hit. */
export function unsupported(plan: NodePlan, frr: Pick<FrrClient, 'capabilities' | 'version'>): Remark[] {
  const vtep = plan.router?.vteps[0]
  if (plan.router === undefined || vtep === undefined || !vtep.includes(':') || frr.capabilities.ipv6Vtep) return []
  const message = `IPv6 VTEP ${vtep}: VXLAN over IPv6 needs FRR 10.6 or newer, this is ${frr.version}; put an IPv4 pool first in spec.vtep.cidrs`
  const tunnelled = [
    plan.router.for,
    ...plan.vrfs.filter((vrf) => vrf.l3vni).map((vrf) => vrf.for),
    ...plan.segments.map((segment) => segment.for),
  ]
  return tunnelled.map((ref) => ({ for: ref, message }))
}

function sessionStatus(session: Awaited<ReturnType<FrrClient['sessions']>>[number], now: number): SessionStatus {
  const { peer, vrf, state, remoteAS, uptimeMs, prefixesReceived, prefixesSent, bfd } = session
  return {
    peer,
    state,
    ...(vrf === 'default' ? {} : { vrf }),
    ...(remoteAS === undefined ? {} : { remoteAS }),
    // A counter that has wrapped around says nothing.
    ...(uptimeMs > 0 && uptimeMs <= now ? { since: new Date(now - uptimeMs).toISOString() } : {}),
    prefixesReceived,
    prefixesSent,
    ...(bfd === undefined ? {} : { bfd }),
  }
}

function vniStatus({ vni, type, vrf, state, remoteVteps, macs }: EvpnVni): VniStatus {
  return {
    vni,
    type,
    state: state ?? 'Up',
    ...(vrf === '' || vrf === 'default' ? {} : { vrf }),
    vteps: remoteVteps.length,
    macs,
  }
}
