/** FRR as the reconciler sees it: `agent/frr` behind the reconciler's port, and away until it answers. */
import type { NodePlan, ResourceRef } from '../api/plan/node-plan.ts'
import { desired } from './frr/desired.ts'
import { diff } from './frr/diff.ts'
import { FrrError } from './frr/frr-error.ts'
import type { Frr } from './frr/frr.ts'
import type { CommandResult } from './frr/refusal.ts'
import type { EvpnVni } from './frr/state.ts'
import type { Command } from './frr/tree.ts'
import { masked, messageOf } from '../log/log.ts'
import { FrrAwayError, type FrrDifferences, type FrrPort, type Remark, type Step } from './ports.ts'
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
  | 'evpnVnis'
  | 'sessions'
  | 'down'
  | 'bfdPeers'
  | 'version'
  | 'capabilities'
  | 'ownership'
  | 'commands'
  | 'connected'
>

export interface FrrObserved {
  readonly sessions: readonly SessionStatus[]
  readonly vnis: readonly VniStatus[]
}

/** Thousands of VNIs take FRR a second or two to print. */
const ANSWER_MS = 5000
const SETTLE_MS = 5000
const SETTLE_STEP_MS = 20

export class FrrAdapter implements FrrPort<FrrStep> {
  #frr: FrrClient | undefined
  #why = 'it has not answered yet'
  #observing: Promise<FrrObserved> | undefined
  readonly #applied: () => Promise<void>

  /** `applied` is called after FRR's configuration was changed. */
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
  }

  get commands(): number {
    return this.#frr?.commands ?? 0
  }

  /** Undefined while FRR was never reached. */
  get version(): string | undefined {
    return this.#frr?.version
  }

  get state(): { readonly state: 'connected' | 'away'; readonly message?: string } {
    return this.#frr?.connected === true ? { state: 'connected' } : { state: 'away', message: this.#why }
  }

  differences(plan: NodePlan): Promise<FrrDifferences<FrrStep>> {
    return this.#asking(async (frr) => {
      const commands = diff(desired(plan), await frr.running(), frr.ownership)
      return { commands: commands.map(stepOf), unsupported: unsupported(plan, frr) }
    })
  }

  apply(steps: readonly FrrStep[], signal: AbortSignal): Promise<readonly Failure[]> {
    return this.#asking(async (frr) => {
      const results = await frr.apply(
        steps.map(({ command }) => command),
        signal,
      )
      await settle(frr, results, signal)
      await this.#applied()
      return failures(results)
    })
  }

  missing(plan: NodePlan): Promise<readonly Remark[]> {
    return this.#asking(async (frr) => (hasVnis(plan) ? missingVnis(plan, await frr.evpnVnis()) : []))
  }

  /**
   * BGP sessions and VNIs as FRR has them now; empty when it does not say. Undefined when a daemon hangs, so that the
   * status can tell it; whoever asks meanwhile waits for the same answer, so that questions do not pile up.
   */
  async observed(now: number, answerMs = ANSWER_MS): Promise<FrrObserved | undefined> {
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
    const [sessions, vnis] = await Promise.all([this.sessions(now), this.vnis()])
    return { sessions: sessions ?? [], vnis: vnis ?? [] }
  }

  /** BGP sessions as FRR has them now; undefined when it does not say. */
  sessions(now: number): Promise<readonly SessionStatus[] | undefined> {
    return this.#told(async (frr) => (await frr.sessions()).map((session) => sessionStatus(session, now)))
  }

  /** VNIs as zebra has them now; undefined when it does not say. */
  vnis(): Promise<readonly VniStatus[] | undefined> {
    return this.#told(async (frr) => (await frr.evpnVnis()).map(vniStatus))
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
      const gone = error instanceof FrrError && (error.code === 'disconnected' || error.code === 'unreachable')
      if (!gone) throw error
      this.#why = messageOf(error)
      throw new FrrAwayError(this.#why, { cause: error })
    }
  }
}

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
    message: `FRR refused "${textOf(command)}": ${masked(text)}`,
    permanent: false,
  }))
}

const keyOf = (ref: ResourceRef | undefined): string => (ref === undefined ? '' : keyOfRef(ref))

/** Until `show vrf vni` lists the VNIs that were entered: zebra takes them from mgmtd on its own time. */
async function settle(frr: FrrClient, results: readonly CommandResult[], signal: AbortSignal): Promise<void> {
  const entered = results.flatMap(({ command, outcome }) => {
    const vrf = /^vrf (\S+)$/.exec(command.context[0] ?? '')?.[1]
    const vni = /^vni (\d+)$/.exec(command.line)?.[1]
    return outcome === 'ok' && vrf !== undefined && vni !== undefined ? [{ vrf, vni: Number(vni) }] : []
  })
  if (entered.length === 0) return
  const end = performance.now() + SETTLE_MS
  while (performance.now() < end && !signal.aborted) {
    const known = await frr.vrfVnis()
    if (entered.every(({ vrf, vni }) => known.some((each) => each.vrf === vrf && each.vni === vni))) return
    await new Promise((resolve) => setTimeout(resolve, SETTLE_STEP_MS))
  }
}

function hasVnis(plan: NodePlan): boolean {
  return plan.segments.length > 0 || plan.vrfs.some((vrf) => vrf.l3vni !== undefined)
}

/** The VNIs of the plan that zebra does not have, or has down. */
export function missingVnis(plan: NodePlan, known: readonly EvpnVni[]): Remark[] {
  const byVni = new Map(known.map((vni) => [vni.vni, vni]))
  const segments = plan.segments.map((segment) => ({ for: segment.for, vni: segment.vni, type: 'L2' as const }))
  const routed = plan.vrfs.flatMap((vrf) =>
    vrf.l3vni === undefined ? [] : [{ for: vrf.for, vni: vrf.l3vni.vni, type: 'L3' as const }],
  )
  return [...routed, ...segments].flatMap(({ for: ref, vni, type }) => {
    const found = byVni.get(vni)
    if (found?.type !== type) return [{ for: ref, message: `zebra does not know VNI ${vni} as ${type} yet` }]
    if (type === 'L3' && found.state !== 'Up')
      return [{ for: ref, message: `VNI ${vni} is ${found.state ?? 'not up'} in zebra` }]
    return []
  })
}

/** IPv6 VTEPs are the only thing of a plan that an FRR may lack; everything tunnelled is hit. */
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
