/** The agent's side of the conversation with the controller: plans come in, reports go out. */
import { messageOf, type Log } from '../log/log.ts'
import { monotonicClock } from '../pace/clock.ts'
import type { FrrAdapter } from './frr-port.ts'
import type { ControllerOptions } from './options.ts'
import { FrrWatch, type Connections, type Hint } from './report/frr-watch.ts'
import type { ReportFacts } from './report/report.ts'
import { Reporter } from './report/reporter.ts'
import type { Connection } from './source/connection.ts'
import { ControllerSource } from './source/controller-source.ts'
import type { Conversation } from './source/controller-stream.ts'
import type { FollowedSource } from './source/followed-source.ts'
import { PlanUpdates } from './source/plan-updates.ts'
import { PLAN_VERSION } from '../api/wire/service.ts'

/** After it failed. */
const WATCH_AGAIN_MS = 1000

export interface LinkParts {
  readonly options: ControllerOptions
  readonly log: Log
  readonly source: Pick<FollowedSource, 'reading' | 'controllerPlan' | 'take'>
  readonly kernel?: Connections
  readonly frr: Pick<FrrAdapter, 'down' | 'sessions' | 'vnis'>
  readonly facts: () => Omit<ReportFacts, 'detailVersion' | 'lastGood' | 'fromFiles' | 'conflicts'>
}

export class ControllerLink {
  readonly #parts: LinkParts
  readonly #source: ControllerSource
  readonly #reporter: Reporter
  readonly #watch: FrrWatch
  #updates: PlanUpdates
  #watching: Promise<void> = Promise.resolve()
  #connected = new AbortController()

  constructor(parts: LinkParts) {
    const { options, log, source, facts, kernel, frr } = parts
    this.#parts = parts
    this.#updates = new PlanUpdates(source.reading.node.name)
    this.#reporter = new Reporter(() => {
      const { planned, conflicts } = source.reading
      const lastGood = source.controllerPlan?.revision
      return {
        ...facts(),
        conflicts,
        fromFiles: planned?.fromFiles ?? [],
        ...(lastGood === undefined ? {} : { lastGood }),
      }
    }, Date.now)
    this.#watch = new FrrWatch(frr, this.#reporter, monotonicClock, Date.now, kernel)
    const clock = { now: Date.now, random: Math.random }
    this.#source = new ControllerSource({ options, log, clock, conversation: this.#conversation() })
  }

  get connection(): Connection {
    return this.#source.connection
  }

  /** Something that is reported may have changed. */
  changed(): void {
    this.#reporter.changed()
    this.#watch.hint('session')
  }

  /** From here on every connection of the router that ends is hinted. */
  endsAreTold(): void {
    this.#watch.endsAreTold()
  }

  /** Something happened that may have changed a BGP session, or a link under a VNI. */
  hint(hint: Hint): void {
    this.#watch.hint(hint)
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#source.run(signal), this.#reporter.run(signal)])
    await this.#watching
  }

  #conversation(): Conversation {
    const { source, facts } = this.#parts
    return {
      begun: () => {
        this.#updates = new PlanUpdates(source.reading.node.name)
      },
      hello: () => ({
        node: source.reading.node.name,
        labels: { ...source.reading.node.labels },
        versions: facts().versions,
        planVersions: [PLAN_VERSION],
        revision: source.controllerPlan?.revision ?? '',
        refusedDigest: source.controllerPlan?.refusedDigest ?? '',
      }),
      update: (update) => this.#update(update),
      welcome: (sender) => {
        this.#reporter.welcome(sender)
        const connected = new AbortController()
        this.#connected = connected
        this.#watching = this.#watching.then(() => this.#watchUntil(connected.signal))
      },
      detailRequested: () => this.#reporter.detailRequested(),
      drained: () => this.#reporter.changed(),
      ended: () => {
        this.#connected.abort()
        this.#reporter.ended()
      },
    }
  }

  /** An answer of FRR that nobody thought of costs the report of it, not the agent. */
  async #watchUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#watch.run(signal)
      } catch (error) {
        this.#parts.log.error('what FRR says cannot be told', { error })
        await monotonicClock.wait(WATCH_AGAIN_MS, signal)
      }
    }
  }

  /** The plan is on the disk before it is acknowledged, and before anything is done with it. */
  #update(update: Parameters<Conversation['update']>[0]): ReturnType<Conversation['update']> {
    const { source, log } = this.#parts
    const taken = this.#updates.receive(update, source.controllerPlan)
    if (taken.type === 'more') return undefined
    const refuse = (error: string): { revision: string; error: string } => {
      log.warn("the controller's plan is not taken, what runs stays", { revision: update.revision, why: error })
      return { revision: source.controllerPlan?.revision ?? '', error }
    }
    if (taken.type === 'refused') return refuse(taken.error)
    try {
      source.take(taken.plan)
    } catch (error) {
      return refuse(messageOf(error))
    }
    this.#reporter.changed()
    return { revision: taken.plan.revision }
  }
}
