/**
 * One leader among the replicas, by a Lease. Nobody's wall clock is compared with another's: who leads stops by its own
 * monotonic clock when it could not renew in time, the others count from when they saw a renewal. As the renew deadline
 * is shorter than the lease, and a renewal is seen only after it began, there are never two leaders as long as no clock
 * runs faster than another by the ratio of the two.
 * https://kubernetes.io/docs/concepts/architecture/leases/
 */
import { randomBytes } from 'node:crypto'
import { messageOf, type Log } from '../../log/log.ts'
import { monotonicClock, type Clock } from '../../pace/clock.ts'
import { isConflict, isNotFound } from './api-error.ts'
import type { CallOptions } from './api.ts'
import { microTime } from './micro-time.ts'
import type { ObjectMeta, ResourceType, Target } from './object.ts'

/** What is needed of the API; the whole one fits. */
export interface LeaseApi {
  get<T extends object>(at: Target, options?: CallOptions): Promise<T>
  create<T extends object>(at: Omit<Target, 'name'>, body: object, options?: CallOptions): Promise<T>
  replace<T extends object>(at: Target, body: object, options?: CallOptions): Promise<T>
}

export interface ElectionOptions {
  readonly api: LeaseApi
  readonly namespace: string
  readonly name: string
  /** For people, such as the pod's name; a random part is added, so that two processes are never one. */
  readonly identity: string
  /** Where others reach this replica when it leads. */
  readonly address: string
  readonly leaseDurationMs: number
  /** Shorter than the lease's duration. */
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
  /** Until then the lease is looked at and left to others: its holder's silence counts from the first look. @default at once */
  readonly ready?: Promise<void>
  readonly onChange: (leadership: LeaseState) => void
  /** Awaited, for a while, before the lease is given away on a clean stop: what the leader did must have ended. */
  readonly beforeRelease?: () => Promise<void>
  readonly log: Log
  readonly clock?: Clock
  readonly random?: () => number
  readonly now?: () => Date
}

export type LeaseState =
  /** `lost` aborts the moment leadership ends, for whatever reason. */
  | { readonly leads: true; readonly lost: AbortSignal }
  /** `leader`: the address of who leads, while it is known that somebody does. */
  | { readonly leads: false; readonly leader?: string }

interface Lease {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec?: LeaseSpec
}

interface LeaseSpec {
  readonly holderIdentity?: string | null
  readonly leaseDurationSeconds?: number | null
  readonly acquireTime?: string | null
  readonly renewTime?: string | null
  readonly leaseTransitions?: number | null
}

const leases: ResourceType = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease' }
const ADDRESS = 'nodeleaf.io/address'
/** Retry periods without a sign of life, after which a leader is no longer named to those who look for one. */
const MISSED = 3
/** How long a clean stop waits for `beforeRelease`, and then for the API server. */
const RELEASE_MS = 3000

export class Election {
  readonly #options: ElectionOptions
  readonly #clock: Clock
  readonly #random: () => number
  readonly #now: () => Date
  readonly #identity: string
  /** The lease as last seen, and when its holder's last sign of life was seen. */
  #seen: Lease | undefined
  #seenAtMs = 0
  /** While leading: until when that is certain, and what tells that it is over. */
  #term: { untilMs: number; readonly lost: AbortController } | undefined
  #leader: string | undefined
  #ready: boolean
  readonly #becameReady = new AbortController()
  #claimed = false
  #complained = false

  /** @throws RangeError when the durations do not keep two leaders apart. */
  constructor(options: ElectionOptions) {
    const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = options
    if (!(retryPeriodMs > 0 && retryPeriodMs < renewDeadlineMs && renewDeadlineMs < leaseDurationMs)) {
      throw new RangeError(
        `lease duration ${leaseDurationMs} ms, renew deadline ${renewDeadlineMs} ms, retry period ${retryPeriodMs} ms: each must be shorter than the one before it`,
      )
    }
    this.#options = options
    this.#clock = options.clock ?? monotonicClock
    this.#random = options.random ?? Math.random
    this.#now = options.now ?? (() => new Date())
    this.#identity = `${options.identity}_${randomBytes(4).toString('hex')}`
    this.#ready = options.ready === undefined
    if (options.ready !== undefined) void this.#await(options.ready)
  }

  /** As of now: a process that was frozen does not believe that it leads until its timers have run. */
  get state(): LeaseState {
    if (this.#term !== undefined && this.#clock.now() >= this.#term.untilMs)
      this.#stepDown('the lease could not be renewed in time')
    if (this.#term !== undefined) return { leads: true, lost: this.#term.lost.signal }
    return this.#leader === undefined ? { leads: false } : { leads: false, leader: this.#leader }
  }

  /** Takes part until the signal aborts, then gives the lease away if it is ours. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startMs = this.#clock.now()
      const wasReady = this.#ready
      await this.#round(signal)
      if (!wasReady && this.#ready) continue
      const spentMs = this.#clock.now() - startMs
      const sooner = wasReady ? signal : AbortSignal.any([signal, this.#becameReady.signal])
      await this.#clock.wait(Math.max(this.#options.retryPeriodMs / 10, this.#pauseMs() - spentMs), sooner)
    }
    this.#stepDown('stopping')
    // A claim may have arrived that we never heard of.
    if (this.#claimed) await this.#release()
  }

  async #await(ready: Promise<void>): Promise<void> {
    await ready
    this.#ready = true
    this.#becameReady.abort()
  }

  /** A request may hang for as long as it likes: it is waited for only as long as it is of use. */
  async #round(signal: AbortSignal): Promise<void> {
    const { renewDeadlineMs, retryPeriodMs } = this.#options
    const over = new AbortController()
    const end = (): void => over.abort(signal.reason)
    signal.addEventListener('abort', end, { once: true })
    const startMs = this.#clock.now()
    // Two attempts at least before the deadline; when it comes, the term is over.
    const limitMs = Math.min(
      Math.max(retryPeriodMs, renewDeadlineMs / 2),
      this.#term === undefined ? Infinity : Math.max(0, this.#term.untilMs - startMs),
    )
    const done = new AbortController()
    const attempt = this.#attempt(startMs, over.signal)
      .catch((error: unknown) => {
        if (!over.signal.aborted) this.#failed(error)
      })
      .finally(() => done.abort())
    try {
      await this.#clock.wait(limitMs, AbortSignal.any([done.signal, over.signal]))
      if (!done.signal.aborted && !over.signal.aborted) {
        over.abort(new Error('no answer in time'))
        this.#failed(new Error(`no answer about the lease within ${Math.round(limitMs)} ms`))
      }
      // What was aborted ends; what does not end must not hold us up.
      if (done.signal.aborted) await attempt
    } finally {
      signal.removeEventListener('abort', end)
    }
    void this.state
  }

  async #attempt(startMs: number, signal: AbortSignal): Promise<void> {
    // Who leads knows the lease, and writes it without looking: if another has written it, the server refuses.
    const lease = this.#term === undefined ? await this.#read(signal) : this.#seen
    signal.throwIfAborted()
    if (this.#term === undefined && (!this.#ready || this.#othersMs() > 0)) return
    await this.#write(lease === undefined ? 'create' : 'replace', startMs, signal)
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    let lease: Lease | undefined
    try {
      lease = await this.#options.api.get<Lease>(this.#at(), this.#call(signal))
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
    if (!signal.aborted) this.#see(lease)
    this.#works()
    return lease
  }

  /** Our own claim or renewal. `startMs` is when it began: the others may have seen it as early as that. */
  async #write(how: 'create' | 'replace', startMs: number, signal: AbortSignal): Promise<void> {
    const { api } = this.#options
    const claim = this.#claim(how)
    this.#claimed = true
    // Counted from before the claim is sent; when it was read first, from then.
    const beganMs = this.#term === undefined ? this.#clock.now() : startMs
    let written: Lease
    try {
      written =
        how === 'create'
          ? await api.create<Lease>({ type: leases, namespace: this.#options.namespace }, claim, this.#call(signal))
          : await api.replace<Lease>(this.#at(), claim, this.#call(signal))
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error
      if (signal.aborted) return
      // Somebody else wrote it. It may still be ours (an annotation, or an attempt of ours that arrived late).
      const now = await this.#read(signal)
      signal.throwIfAborted()
      if (this.#term === undefined) return
      if (now?.spec?.holderIdentity === this.#identity) return await this.#write('replace', this.#clock.now(), signal)
      return this.#stepDown(now === undefined ? 'the lease was deleted' : 'another replica has the lease')
    }
    if (signal.aborted) return
    this.#see(written)
    this.#works()
    this.#lead(beganMs + this.#options.renewDeadlineMs)
  }

  #claim(how: 'create' | 'replace'): object {
    const { namespace, name, address, leaseDurationMs } = this.#options
    const spec = this.#seen?.spec ?? {}
    const ours = spec.holderIdentity === this.#identity
    const time = microTime(this.#now())
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        ...(how === 'replace' && this.#seen !== undefined ? this.#seen.metadata : { name, namespace }),
        annotations: { ...this.#seen?.metadata.annotations, [ADDRESS]: address },
      },
      spec: {
        holderIdentity: this.#identity,
        leaseDurationSeconds: Math.max(1, Math.ceil(leaseDurationMs / 1000)),
        acquireTime: ours ? (spec.acquireTime ?? time) : time,
        renewTime: time,
        leaseTransitions:
          ours || this.#seen === undefined ? (spec.leaseTransitions ?? 0) : (spec.leaseTransitions ?? 0) + 1,
      },
    }
  }

  /** A new version of the lease is a sign of life of its holder, seen now. */
  #see(lease: Lease | undefined): void {
    const before = this.#seen
    // Deleted, but whoever holds it may not know that yet: what was seen counts until it runs out.
    if (lease === undefined && this.#othersMs() > 0) return
    this.#seen = lease
    const renewed =
      before?.spec?.renewTime !== lease?.spec?.renewTime || before?.spec?.holderIdentity !== lease?.spec?.holderIdentity
    if (renewed || before === undefined) this.#seenAtMs = this.#clock.now()
    if (this.#term === undefined) this.#follow()
  }

  /** How long the lease is another's yet; 0: it is ours to take. */
  #othersMs(): number {
    const { holderIdentity, leaseDurationSeconds } = this.#seen?.spec ?? {}
    if (holderIdentity === undefined || holderIdentity === null || holderIdentity === '') return 0
    if (holderIdentity === this.#identity) return 0
    const durationMs = Math.max((leaseDurationSeconds ?? 0) * 1000, this.#options.leaseDurationMs)
    return Math.max(0, this.#seenAtMs + durationMs - this.#clock.now())
  }

  #pauseMs(): number {
    const { retryPeriodMs } = this.#options
    if (this.#term !== undefined) return retryPeriodMs * (0.8 + this.#random() * 0.2)
    this.#follow()
    const usual = retryPeriodMs * (1 + this.#random() * 0.2)
    const left = this.#othersMs()
    // When the lease runs out before that: then, and not in step with the others that wait for it.
    return left > 0 ? Math.min(usual, left + 1 + this.#random() * 0.1 * retryPeriodMs) : usual
  }

  #lead(untilMs: number): void {
    if (this.#clock.now() >= untilMs) return
    if (this.#term !== undefined) {
      this.#term.untilMs = untilMs
      return
    }
    const term = { untilMs, lost: new AbortController() }
    this.#term = term
    this.#leader = undefined
    this.#options.log.info('leading', { lease: this.#options.name, identity: this.#identity })
    void this.#guard(term)
    this.#options.onChange({ leads: true, lost: term.lost.signal })
  }

  /** Ends the term by our own clock, whatever requests do. */
  async #guard(term: { untilMs: number; readonly lost: AbortController }): Promise<void> {
    while (!term.lost.signal.aborted) {
      await this.#clock.wait(Math.max(0, term.untilMs - this.#clock.now()), term.lost.signal)
      if (this.#term === term) void this.state
    }
  }

  #stepDown(why: string): void {
    const term = this.#term
    if (term === undefined) return
    this.#term = undefined
    this.#options.log.warn('leading no more', { lease: this.#options.name, why })
    term.lost.abort(new Error(`leadership lost: ${why}`))
    this.#leader = this.#knownLeader()
    this.#options.onChange(this.state)
  }

  /** Tells when another leader is known, or none any more. */
  #follow(): void {
    const leader = this.#knownLeader()
    if (leader === this.#leader) return
    this.#leader = leader
    this.#options.onChange(this.state)
  }

  /** Not who was this replica before it was started again, nor who has missed several renewals. */
  #knownLeader(): string | undefined {
    const silentMs = this.#clock.now() - this.#seenAtMs
    if (this.#othersMs() === 0 || silentMs > MISSED * this.#options.retryPeriodMs) return undefined
    const address = this.#seen?.metadata.annotations?.[ADDRESS]
    return address === this.#options.address ? undefined : address
  }

  /** The next leader need not wait for the lease to run out. */
  async #release(): Promise<void> {
    const { api, beforeRelease, log } = this.#options
    const { promise: late, resolve } = Promise.withResolvers<'late'>()
    const timer = setTimeout(resolve, RELEASE_MS, 'late')
    const ended = await Promise.race([late, this.#ended(beforeRelease)])
    clearTimeout(timer)
    if (ended === 'late') return log.warn('work goes on after the end of leadership; the lease is left to run out')
    try {
      const options = { signal: AbortSignal.timeout(RELEASE_MS), timeoutMs: RELEASE_MS, attempts: 2 }
      const lease = await api.get<Lease>(this.#at(), options)
      if (lease.spec?.holderIdentity !== this.#identity) return
      const annotations = Object.fromEntries(
        Object.entries(lease.metadata.annotations ?? {}).filter(([key]) => key !== ADDRESS),
      )
      // Nobody holds it: the member is left out, as newer API servers refuse an empty name.
      const { holderIdentity: _, ...rest } = lease.spec
      const spec = { ...rest, leaseDurationSeconds: 1, renewTime: microTime(this.#now()) }
      await api.replace(this.#at(), { ...lease, metadata: { ...lease.metadata, annotations }, spec }, options)
    } catch (error) {
      log.warn('the lease could not be given back; the next leader waits until it runs out', { error })
    }
  }

  async #ended(work: (() => Promise<void>) | undefined): Promise<'ended'> {
    try {
      await work?.()
    } catch (error) {
      this.#options.log.warn('ending the leader’s work failed', { error })
    }
    return 'ended'
  }

  #failed(error: unknown): void {
    if (this.#complained) return
    this.#complained = true
    this.#options.log.warn(messageOf(error), { lease: this.#options.name })
  }

  #works(): void {
    if (this.#complained) this.#options.log.info('the lease can be reached again', { lease: this.#options.name })
    this.#complained = false
  }

  #at(): Target {
    return { type: leases, namespace: this.#options.namespace, name: this.#options.name }
  }

  /** One attempt each: the rounds are the repetition. */
  #call(signal: AbortSignal): CallOptions {
    return { signal, attempts: 1, timeoutMs: this.#options.renewDeadlineMs }
  }
}
