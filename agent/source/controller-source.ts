/**
 * The connection to the controller, kept up for as long as the agent runs: dial, follow who leads, wait and dial again.
 * Nothing here touches the node: when there is no controller, everything stays as it is.
 */
import { status } from '@grpc/grpc-js'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, type Log } from '../../log/log.ts'
import type { ControllerOptions } from '../options.ts'
import type { Connection } from './connection.ts'
import { addressesOf, dial, DialError, targetText, type Dialled, type Target } from './controller-dial.ts'
import { converse, type Conversation, type StreamEnd } from './controller-stream.ts'

export interface ControllerSourceOptions {
  readonly options: ControllerOptions
  readonly log: Log
  readonly conversation: Conversation
  readonly clock: { readonly now: () => number; readonly random: () => number }
  /** @default the real ones: controller-dial.ts and the clock's time */
  readonly effects?: Partial<Effects>
}

interface Effects {
  readonly addressesOf: (target: Target) => Promise<readonly Target[]>
  readonly dial: (target: Target, options: ControllerOptions) => Dialled
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
}

/** A controller that is away: no longer, so that a new leader has all agents seconds after it was elected. */
const AWAY_MS = 5000
/** A controller that refuses this agent: somebody has to do something first. */
const REFUSED_MS = 30_000

/**
 * How long to wait before the next round: with full jitter anything from 0 to 1 s after the first failure in a row, to 2 s
 * after the second and so on, so that a thousand agents do not come back in one moment. `random` is 0 to 1.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function redialMs(failures: number, refused: boolean, random: number): number {
  const longest = refused ? REFUSED_MS : AWAY_MS
  return Math.round(random * Math.min(longest, 1000 * 2 ** Math.min(Math.max(failures - 1, 0), 20)))
}

/** Replicas may send an agent from one to the other while they elect. */
const REDIRECTS = 3
/** A stream that lived this long is no failed attempt. */
const LIVED_MS = 10_000
/** A restarted controller asks the API server about a thousand tokens before it welcomes the last. */
const LIMITS = { connectMs: 10_000, welcomeMs: 60_000 }
/** One of several addresses that does not answer is not waited for as long as the last. */
const CONNECT_OF_SEVERAL_MS = 4000

const REFUSALS: Readonly<Record<number, NonNullable<Connection['reason']>>> = {
  [status.UNAUTHENTICATED]: 'Unauthenticated',
  [status.PERMISSION_DENIED]: 'PermissionDenied',
  [status.FAILED_PRECONDITION]: 'VersionMismatch',
}

export class ControllerSource {
  readonly #options: ControllerSourceOptions
  readonly #effects: Effects
  #connection: Connection
  /** What was logged last, so that a controller that is away is one line. */
  #said = ''

  constructor(options: ControllerSourceOptions) {
    this.#options = options
    this.#effects = {
      addressesOf,
      dial,
      pause: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
      ...options.effects,
    }
    const address = targetText(options.options)
    this.#connection = { address, state: 'connecting', since: options.clock.now() }
  }

  get connection(): Connection {
    return this.#connection
  }

  /** Until the signal aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0
    let leader: Target | undefined
    for (let round = 0; !signal.aborted; round++) {
      const { lived, next } = await this.#round(round, leader, signal)
      failures = lived ? 0 : failures + 1
      leader = next
      const pauseMs = redialMs(failures, this.#connection.state === 'refused', this.#options.clock.random())
      if (!signal.aborted) await this.#effects.pause(pauseMs, signal)
    }
  }

  /**
   * Asks `leader`, or each address of the controller once, another one first in every round; ends with the first stream
   * that was welcome. `next` is who that one named as the leader when it ended.
   */
  async #round(
    round: number,
    leader: Target | undefined,
    signal: AbortSignal,
  ): Promise<{ lived: boolean; next?: Target }> {
    const targets = leader === undefined ? await this.#targets(round) : [leader]
    for (let redirects = 0; targets.length > 0 && !signal.aborted;) {
      const target = targets.shift() as Target
      const limits = targets.length > 0 ? { ...LIMITS, connectMs: CONNECT_OF_SEVERAL_MS } : LIMITS
      const { end, welcomedAt } = await this.#talk(target, limits, signal)
      if (welcomedAt !== undefined) {
        const lived = this.#options.clock.now() - welcomedAt >= LIVED_MS
        return { lived, ...(end.leader === undefined ? {} : { next: end.leader }) }
      }
      if (end.code in REFUSALS) break
      if (end.leader !== undefined && redirects++ < REDIRECTS) targets.unshift(...(await this.#resolved(end.leader)))
    }
    return { lived: false }
  }

  async #targets(round: number): Promise<Target[]> {
    const all = await this.#resolved(this.#options.options)
    const first = all.length === 0 ? 0 : round % all.length
    return [...all.slice(first), ...all.slice(0, first)]
  }

  async #resolved(target: Target): Promise<readonly Target[]> {
    try {
      return await this.#effects.addressesOf(target)
    } catch (error) {
      this.#lost({ code: status.UNAVAILABLE, why: messageOf(error) }, target, false)
      return []
    }
  }

  async #talk(
    target: Target,
    limits: typeof LIMITS,
    signal: AbortSignal,
  ): Promise<{ end: StreamEnd; welcomedAt?: number }> {
    const { options, conversation, clock, log } = this.#options
    let welcomedAt: number | undefined
    const heard = (replica?: string): void => {
      this.#connection = { ...this.#connection, lastContact: clock.now() }
      if (replica === undefined || welcomedAt !== undefined) return
      welcomedAt = clock.now()
      this.#became({ state: 'connected', replica })
      this.#said = ''
      log.info('controller connected', { address: targetText(target), replica })
    }
    let end: StreamEnd
    try {
      const dialled = this.#effects.dial(target, options)
      const { certificateEnds } = dialled
      if (certificateEnds !== undefined) this.#connection = { ...this.#connection, certificateEnds }
      end = await converse(dialled, conversation, heard, limits, signal)
    } catch (error) {
      if (!(error instanceof DialError)) log.error('the conversation with the controller failed', { error })
      end = { code: status.UNAVAILABLE, why: messageOf(error) }
    }
    this.#lost(end, target, welcomedAt !== undefined)
    return { end, ...(welcomedAt === undefined ? {} : { welcomedAt }) }
  }

  /** Who was welcome is not refused: its token has expired, and it comes again with the next one. */
  #lost(end: StreamEnd, target: Target, wasWelcome: boolean): void {
    const reason = wasWelcome ? undefined : REFUSALS[end.code]
    const next = { state: reason === undefined ? ('away' as const) : ('refused' as const), lastError: end.why }
    this.#became({ ...next, ...(reason === undefined ? {} : { reason }) })
    const said = `${targetText(target)} ${end.why}`
    if (said !== this.#said && end.code !== status.CANCELLED) {
      const message = reason === undefined ? 'no controller, what is here stays' : 'the controller refuses this agent'
      this.#options.log.warn(message, { address: targetText(target), why: end.why, reason })
    }
    this.#said = said
  }

  /** `since` moves when the state becomes another; a reason belongs to its state. */
  #became(next: Pick<Connection, 'state'> & Partial<Connection>): void {
    const { reason: _reason, ...before } = this.#connection
    const since = before.state === next.state ? before.since : this.#options.clock.now()
    this.#connection = { ...before, ...next, since }
  }
}
