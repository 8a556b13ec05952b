/**
 * Notices that a BGP session or a VNI changed, while somebody wants to know.
 *
 * FRR pushes nothing over vty. Sessions: bgpd is asked which of them are down, a question that costs it next to nothing,
 * and when the answer is another one, everything is read. It is asked after each pass, whenever the kernel tells that a TCP
 * connection in the router's namespace ended, and as long as one is down every second, for none tells that it comes up;
 * but then the kernel is asked first, and as long as it has the connections that it had, each of them a session's that is
 * up, bgpd is left alone: with hundreds of sessions down its answer is long. When all are up and the kernel tells of ends,
 * nobody asks. VNIs follow links, and links tell: a change in the kernel, a pass that did something, or a session that came
 * or went makes them be read. What none of these shows (counters, remote VTEPs) a slow look does.
 */
import type { FrrAdapter } from '../frr-port.ts'
import { Wake } from '../../pace/wake.ts'
import type { Clock } from '../../pace/clock.ts'
import type { Reporter } from './reporter.ts'

export type Hint = 'session' | 'link'

/** The TCP connections of the router that are established, each told by another text; undefined when nobody knows. */
export interface Connections {
  readonly connections: () => readonly string[] | undefined
}

/** How often bgpd is asked which sessions are down, and how often when that has been the same for long. */
const ASK_MS = 1000
const ASK_SELDOM_MS = 1500
const LONG_MS = 30_000
/** How often everything is read without a reason; where that takes long, it may take this part of the time. */
const SLOW_MS = 15_000
const SLOW_PART = 500
/** zebra takes a link's event up a moment after we hear of it, and has other things to do then. */
const AGAIN_MS = [300, 1000]
/** Reading thousands of VNIs takes zebra a while: it may take a tenth of the time. */
const REST = 9

export class FrrWatch {
  readonly #frr: Pick<FrrAdapter, 'down' | 'sessions' | 'vnis'>
  readonly #reporter: Pick<Reporter, 'observed'>
  readonly #clock: Clock
  /** Time of day, for `since`. */
  readonly #now: () => number
  readonly #kernel: Connections | undefined
  /** What there was when bgpd was asked last. */
  #connections: readonly string[] | undefined
  /** Sessions that were up when they were read last. */
  #up = 0
  readonly #wake = new Wake({ quietMs: 50, latestMs: 200 })
  #down: string | undefined
  /** When that was another answer. */
  #downSince = 0
  #allUp = false
  #endsAreTold = false
  #slowDue = 0
  #nudge = new AbortController()
  /** When the VNIs are to be read next. */
  #vnisDue: number[] = []
  #vnisRested = 0

  constructor(
    frr: Pick<FrrAdapter, 'down' | 'sessions' | 'vnis'>,
    reporter: Pick<Reporter, 'observed'>,
    clock: Clock,
    now: () => number,
    kernel?: Connections,
  ) {
    this.#frr = frr
    this.#reporter = reporter
    this.#clock = clock
    this.#now = now
    this.#kernel = kernel
  }

  /** Something happened that may have changed a session, or a link under a VNI: it is looked at now. */
  hint(hint: Hint): void {
    this.#wake.request(hint)
  }

  /** From here on every connection that ends is hinted. */
  endsAreTold(): void {
    this.#endsAreTold = true
  }

  /** Watches until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#down = undefined
    this.#vnisDue = [0]
    const ended = new AbortController()
    const either = AbortSignal.any([signal, ended.signal])
    const ticking = this.#tick(either)
    try {
      this.#slowDue = this.#clock.now() + SLOW_MS
      while (!signal.aborted) {
        const reasons = await this.#wake.next(signal)
        if (reasons.length === 0) break
        if (reasons.includes('link')) this.#vnisSoon()
        const began = this.#clock.now()
        const due = began >= this.#slowDue
        if (due || reasons.includes('session') || !this.#isCalm) await this.#lookAtSessions(due)
        await this.#lookAtVnis(due)
        const now = this.#clock.now()
        if (due) this.#slowDue = now + Math.max(SLOW_MS, SLOW_PART * (now - began))
      }
    } finally {
      ended.abort()
      await ticking
    }
  }

  async #tick(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake.request('tick')
      this.#nudge = new AbortController()
      await this.#clock.wait(this.#pauseMs, AbortSignal.any([signal, this.#nudge.signal]))
    }
  }

  /** How long nothing is due. */
  get #pauseMs(): number {
    const now = this.#clock.now()
    if (this.#vnisDue.length > 0) return Math.min(...AGAIN_MS)
    if (this.#allUp && this.#endsAreTold) return Math.max(ASK_MS, this.#slowDue - now)
    return now - this.#downSince < LONG_MS ? ASK_MS : ASK_SELDOM_MS
  }

  /** No session can have come up: all connections are those of sessions that were up, and are still there. */
  get #isCalm(): boolean {
    const [before, now] = [this.#connections, this.#kernel?.connections()]
    if (before === undefined || now === undefined || this.#down === undefined) return false
    return now.length === this.#up && now.join() === before.join()
  }

  async #lookAtSessions(slow: boolean): Promise<void> {
    // Before the question: what comes after it is asked about again.
    this.#connections = this.#kernel?.connections()
    const down = await this.#frr.down()
    const changed = down !== this.#down
    this.#down = down
    if (changed) {
      this.#downSince = this.#clock.now()
      this.#vnisSoon()
    }
    // Undefined: FRR is away, or its answer to the cheap question is not understood.
    if (changed || slow || down === undefined) {
      const sessions = (await this.#frr.sessions(this.#now())) ?? []
      this.#up = sessions.filter(({ state }) => state === 'Established').length
      this.#allUp = down !== undefined && this.#up === sessions.length
      this.#reporter.observed({ sessions })
    }
  }

  async #lookAtVnis(slow: boolean): Promise<void> {
    const now = this.#clock.now()
    if (now < this.#vnisRested || !(slow || this.#vnisDue.some((due) => due <= now))) return
    this.#vnisDue = this.#vnisDue.filter((due) => due > now)
    const vnis = (await this.#frr.vnis()) ?? []
    this.#vnisRested = this.#clock.now() + REST * (this.#clock.now() - now)
    this.#reporter.observed({ vnis })
  }

  /** One hint after the other puts nothing off. */
  #vnisSoon(): void {
    const now = this.#clock.now()
    const due = AGAIN_MS.map((ms) => now + ms)
    this.#vnisDue = [Math.min(...this.#vnisDue, ...due), ...due.slice(1)]
    this.#nudge.abort()
  }
}
