/**
 * One agent's stream after Hello: carries out what delivery.ts decides. Holds versions of the plan, never a plan laid
 * out, and at most one encoded message, so an agent that is slow or gone costs next to nothing.
 */
import { create } from '@bufbuild/protobuf'
import {
  ControllerMessageSchema,
  DetailRequestSchema,
  WelcomeSchema,
  type Acknowledgement,
  type AgentMessage,
  type ControllerMessage,
  type Hello,
} from '../../api/wire/generated/distribution_pb.ts'
import type { PlanChange, PlanVersion } from '../../api/plan/plan-version.ts'
import { connect } from '../../api/wire/service.ts'
import { messageOf, type Log } from '../../log/log.ts'
import type { Bounds } from './bounds.ts'
import {
  acknowledged,
  adopted,
  begun,
  changed,
  greeted,
  nextStep,
  refusedDigest,
  sent,
  type Delivery,
} from './delivery.ts'
import { failed, hangUp, identityExpired, outOfOrder, slow, type Call, type Ending } from './ending.ts'
import type { Gate } from './gate.ts'
import { Inflow } from './inflow.ts'
import type { Metrics } from './metrics.ts'
import { StalledError, write } from './outflow.ts'
import { planMessages, weight } from './plan-messages.ts'
import type { AgentObserver, PlanBook } from './ports.ts'

/** What all sessions share. */
export interface Surroundings {
  readonly book: PlanBook
  readonly observer: AgentObserver
  /** Large updates go through it. */
  readonly gate: Gate
  readonly metrics: Metrics
  readonly bounds: Bounds
  readonly log: Log
  /** Name of this controller. */
  readonly controller: string
  readonly sever: (peer: string) => void
}

/** An update that is larger than this waits for its turn. */
const LARGE_BYTES = 64 * 1024
/** So many sessions, VNIs or resources in a message are as much work as a small message. */
const ITEMS = 200
/** What setTimeout can wait for at most: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export class Session {
  readonly node: string
  readonly peer: string
  readonly #call: Call
  readonly #around: Surroundings
  readonly #inflow: Inflow
  readonly #gone = new AbortController()
  #delivery: Delivery
  #sending = false
  #detailAsked = false
  /** When the oldest change came that the update in flight covers. */
  #coveredMs: number | undefined
  #wake: NodeJS.Timeout | undefined
  #acknowledgeBy: NodeJS.Timeout | undefined
  #expiry: NodeJS.Timeout | undefined

  constructor(call: Call, peer: string, hello: Hello, around: Surroundings) {
    this.node = hello.node
    this.peer = peer
    this.#call = call
    this.#around = around
    this.#inflow = new Inflow(call, around.bounds.messagesPerSecond)
    this.#delivery = greeted(hello.revision, hello.refusedDigest)
  }

  /** Says Welcome. */
  start(): void {
    this.#tell({ case: 'welcome', value: create(WelcomeSchema, { controller: this.#around.controller }) })
  }

  /** The node's plan has changed; advance() is to follow. */
  changed(now: number): void {
    this.#delivery = changed(this.#delivery, now)
  }

  /** Does what is to be done now. Cheap when that is nothing. */
  advance(): void {
    if (this.#gone.signal.aborted || this.#sending) return
    clearTimeout(this.#wake)
    try {
      const now = performance.now()
      const current = this.#around.book.current(this.node)
      const step = nextStep(this.#delivery, current, now)
      if (step.type === 'wait') this.#wake = setTimeout(() => this.advance(), step.untilMs - now)
      else if (step.type === 'send') void this.#send(step.version, step.before)
      else if (current && !this.#delivery.inFlight) this.#rest(current)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** The agent is asked for its details once, and not again before it has answered. */
  requestDetail(): void {
    if (this.#gone.signal.aborted || this.#detailAsked) return
    this.#detailAsked = true
    this.#tell({ case: 'detailRequest', value: create(DetailRequestSchema) })
  }

  receive({ message }: AgentMessage): void {
    if (this.#gone.signal.aborted) return
    this.#inflow.note(workOf(message))
    const { observer } = this.#around
    if (message.case === 'hello') this.end(outOfOrder('Hello comes once'))
    else if (message.case === 'acknowledgement') this.#acknowledged(message.value)
    else if (message.case === 'report') observer.reported(this.node, message.value)
    else if (message.case === 'detail') {
      this.#detailAsked = false
      observer.detailed(this.node, message.value)
    }
    // Anything else comes from an agent that is newer.
  }

  /** The stream ends when the proof of identity does, so that the agent comes back with a fresh one. */
  expireAt(expiresAtMs: number, now: () => number): void {
    const leftMs = expiresAtMs - now()
    if (leftMs <= 0) this.end(identityExpired)
    else this.#expiry = setTimeout(() => this.expireAt(expiresAtMs, now), Math.min(leftMs, LONGEST_TIMER_MS))
  }

  /** Ends the stream. An agent that does not take that either is cut off. */
  end(ending: Ending): void {
    if (this.#gone.signal.aborted) return
    this.close()
    this.#around.metrics.ended.inc({ reason: ending.reason })
    hangUp(this.#call, ending, () => this.#around.sever(this.peer), this.#around.bounds.hangUpMs)
  }

  /** The stream is gone, or about to be: nothing is done any more. */
  close(): void {
    this.#gone.abort()
    this.#inflow.close()
    for (const timer of [this.#wake, this.#acknowledgeBy, this.#expiry]) clearTimeout(timer)
  }

  /** Nothing to send. Whoever came with what is current gets what changes from then on. */
  #rest(current: PlanVersion): void {
    const { version, failures } = this.#delivery
    if (!version && failures === 0) this.#around.metrics.unchanged.inc()
    this.#delivery = adopted(this.#delivery, current)
  }

  async #send(version: PlanVersion, before: PlanVersion | undefined): Promise<void> {
    this.#sending = true
    try {
      const change = before && version.changesSince(before)
      if (change && weight(change) <= LARGE_BYTES) await this.#update(version, before, change)
      else await this.#largeUpdate(before)
    } catch (error) {
      this.#fail(error)
    }
    this.#sending = false
    this.advance()
  }

  /** Waits for its turn; only then, with what is current then, is the change laid out. */
  async #largeUpdate(before: PlanVersion | undefined): Promise<void> {
    await this.#around.gate.pass(this.#gone.signal, async () => {
      const version = this.#around.book.current(this.node)
      if (version) await this.#update(version, before, version.changesSince(before))
    })
  }

  async #update(version: PlanVersion, before: PlanVersion | undefined, change: PlanChange): Promise<void> {
    const { metrics, bounds } = this.#around
    const digest = refusedDigest(version)
    const known = digest === this.#delivery.refusedDigest
    const refused = known ? {} : { refused: { json: Buffer.from(JSON.stringify(version.refused)), digest } }
    const head = { base: before?.revision ?? '', revision: version.revision, ...refused }
    this.#coveredMs ??= this.#delivery.change?.firstMs
    this.#delivery = begun(this.#delivery)
    metrics.updates.inc({ kind: before ? 'delta' : 'full' })
    metrics.pieces.inc(change.set.length + change.remove.length)
    for (const { bytes, last } of planMessages(change, head)) {
      if (last) this.#delivery = sent(this.#delivery, version, performance.now())
      metrics.bytes.inc(bytes.length)
      await write(this.#call, bytes, bounds.stallMs, this.#gone.signal)
    }
    if (this.#delivery.inFlight !== version) return
    this.#acknowledgeBy = setTimeout(
      () => this.end(slow('a plan was not acknowledged in time')),
      bounds.acknowledgementMs,
    )
  }

  #acknowledged({ revision, error }: Acknowledgement): void {
    const { metrics, observer, log } = this.#around
    const before = this.#delivery
    const now = performance.now()
    this.#delivery = acknowledged(before, revision, error, now)
    if (before.inFlight) clearTimeout(this.#acknowledgeBy)
    if (this.#delivery.failures > before.failures) {
      metrics.rejected.inc()
      const reason = error === '' ? `it has ${JSON.stringify(revision.slice(0, 64))}` : error.slice(0, 512)
      log.warn('an agent did not take its plan', { node: this.node, revision: before.inFlight?.revision, reason })
    } else if (before.inFlight && this.#coveredMs !== undefined) {
      metrics.acknowledgement.observe((now - this.#coveredMs) / 1000)
      this.#coveredMs = undefined
    }
    observer.acknowledged(this.node, revision, error === '' ? undefined : error)
    this.advance()
  }

  #fail(error: unknown): void {
    if (this.#gone.signal.aborted) return
    if (error instanceof StalledError) return this.end(slow(error.message))
    this.#around.log.error('a stream fails', { node: this.node, reason: messageOf(error) })
    this.end(failed)
  }

  #tell(message: ControllerMessage['message']): void {
    this.#call.write(connect.responseSerialize(create(ControllerMessageSchema, { message })))
  }
}

/** In small messages: one agent that sends its details over and over must not keep the others waiting. */
function workOf(message: AgentMessage['message']): number {
  if (message.case === 'detail') return 1 + (message.value.sessions.length + message.value.vnis.length) / ITEMS
  if (message.case === 'report') return 1 + (message.value.unready.length + message.value.conflicts.length) / ITEMS
  return 1
}
