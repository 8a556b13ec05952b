/**
 * A kind's objects as the API server has them, kept up to date for as long as the signal lets it: listed once, then
 * watched. Whatever happens to server or connection is met with another attempt; what was known stays known meanwhile.
 */
import type { Log } from '../../log/log.ts'
import { backoffMs } from '../../pace/backoff.ts'
import { monotonicClock, type Clock } from '../../pace/clock.ts'
import { ApiError } from './api-error.ts'
import type { Api, Selection } from './api.ts'
import { Complaint } from './complaint.ts'
import { apiVersionOf, isOlder, keyOf, resourceName, type Collection, type KubeObject } from './object.ts'

export type Change<T> =
  | { readonly type: 'set'; readonly key: string; readonly object: T; readonly old?: T }
  | { readonly type: 'delete'; readonly key: string; readonly object: T }
  /** A whole list was taken over; the first time: everything there is has been told. */
  | { readonly type: 'synced' }

export interface ReflectorOptions<T extends KubeObject> extends Selection {
  readonly api: Api
  readonly of: Collection
  /**
   * What is kept of an object, made as it arrives; `metadata` must keep name, namespace and resourceVersion.
   * undefined: it is as if it were not there.
   */
  readonly transform: (object: KubeObject) => T | undefined
  /** Called in the order of things, synchronously; a list's changes come without a pause in between. Must not throw. */
  readonly onChange: (change: Change<T>) => void
  readonly log: Log
  /** Objects in one page of a list; fewer where they are large. @default 500 */
  readonly pageSize?: number
  readonly observe?: ((what: ReflectorEvent, of: Collection) => void) | undefined
  readonly timing?: Partial<ReflectorTiming>
  readonly clock?: Clock
  readonly random?: () => number
}

/** For metrics; `failed` with the reason of the ApiError. */
export type ReflectorEvent =
  | { readonly type: 'listed'; readonly items: number }
  | { readonly type: 'event' }
  | { readonly type: 'failed'; readonly reason: string }

export interface ReflectorTiming {
  /**
   * A watch is opened again after this long, plus up to as much again times `0.5`: a server that froze is noticed then
   * at the latest. Cheap, as the watch goes on where it was.
   */
  readonly watchSeconds: number
  /** How late the server may be with ending a watch. */
  readonly graceMs: number
  /** A watch that lived this long was a good one: the next failure is the first. */
  readonly healthyMs: number
  readonly firstRetryMs: number
  readonly longestRetryMs: number
}

const TIMING: ReflectorTiming = {
  watchSeconds: 40,
  graceMs: 10_000,
  healthyMs: 5000,
  firstRetryMs: 250,
  longestRetryMs: 10_000,
}
const PAGE = 500

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>
  readonly #timing: ReflectorTiming
  readonly #clock: Clock
  readonly #random: () => number
  readonly #complaint: Complaint
  readonly #objects = new Map<string, T>()
  readonly #firstSync = Promise.withResolvers<void>()
  /** To go on from; empty: a list comes first. */
  #version = ''
  #synced = false
  #connected = false
  /** Something broke: the server that answers next may be one that knows less than the last one did. */
  #doubtful = false
  /** After a restore, another object may have the version of one that is known: the next list is told as a whole. */
  #restored = false
  /** The watch that is open, or was last, brought something. */
  #lively = false
  /** The last list's pages ran out of time: the next list is asked for in one piece. */
  #unpaged = false

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
    this.#timing = { ...TIMING, ...options.timing }
    this.#clock = options.clock ?? monotonicClock
    this.#random = options.random ?? Math.random
    this.#complaint = new Complaint(options.log, this.#clock, resourceName(options.of.type))
  }

  /** By namespace/name. Live. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects
  }

  /** Everything that is there was told at least once. Stays true through outages. */
  get synced(): boolean {
    return this.#synced
  }

  /** A watch is open now. */
  get connected(): boolean {
    return this.#connected
  }

  /** Resolves with the first `synced`; rejects with the signal's reason. */
  async whenSynced(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, reject } = Promise.withResolvers<never>()
    const aborted = (): void => reject(signal.reason)
    signal.addEventListener('abort', aborted, { once: true })
    try {
      await Promise.race([this.#firstSync.promise, promise])
    } finally {
      signal.removeEventListener('abort', aborted)
    }
  }

  /** Until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      const startMs = this.#clock.now()
      try {
        if (this.#version === '') await this.#list(signal)
        else if (this.#doubtful) await this.#compare(signal)
        if (this.#version === '') continue
        await this.#watch(signal)
        if (this.#lively || this.#clock.now() - startMs >= this.#timing.healthyMs) {
          failures = 0
          continue
        }
        // A watch that ends at once and has nothing to tell is no better than one that fails.
        failures += 1
        await this.#pause(failures, undefined, signal)
      } catch (error) {
        if (signal.aborted) break
        const good = this.#lively || this.#clock.now() - startMs >= this.#timing.healthyMs
        failures = good && this.#wasOpen(error) ? 1 : failures + 1
        this.#take(error)
        await this.#pause(failures, error, signal)
      } finally {
        this.#connected = false
      }
    }
  }

  /** The failure ended a watch that was open, rather than an attempt to get one. */
  #wasOpen(error: unknown): boolean {
    return this.#connected && !(error instanceof ApiError && error.status !== 0)
  }

  #take(error: unknown): void {
    const reason = error instanceof ApiError ? error.reason : 'Internal'
    this.#options.observe?.({ type: 'failed', reason }, this.#options.of)
    this.#complaint.failed(error)
    this.#doubtful = true
    if (!(error instanceof ApiError)) return
    // 504 is how a server says that our version is one it has not come to yet.
    if (error.status === 410 || error.status === 504) this.#version = ''
  }

  async #pause(failures: number, error: unknown, signal: AbortSignal): Promise<void> {
    const { firstRetryMs: firstMs, longestRetryMs: longestMs } = this.#timing
    const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0
    const backoff = backoffMs(failures, { firstMs, longestMs }, this.#random())
    await this.#clock.wait(Math.max(backoff, Math.min(asked, 60_000)), signal)
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { api, of, fieldSelector, labelSelector, transform, observe, pageSize } = this.#options
    const found = new Map<string, T>()
    const limit = this.#unpaged ? undefined : (pageSize ?? PAGE)
    let token: string | undefined
    let version = ''
    let items = 0
    do {
      try {
        const page = await api.list(
          of,
          { limit, continue: token, fieldSelector, labelSelector },
          { signal, attempts: 2 },
        )
        for (const item of page.items) {
          const object = transform(item)
          if (object !== undefined) found.set(keyOf(item), object)
        }
        items += page.items.length
        version = page.metadata.resourceVersion
        token = page.metadata.continue === '' ? undefined : page.metadata.continue
      } catch (error) {
        // The server forgets a list that takes long; in one piece it cannot.
        if (token !== undefined && error instanceof ApiError && error.status === 410) this.#unpaged = true
        throw error
      }
    } while (token !== undefined)
    this.#unpaged = false
    observe?.({ type: 'listed', items }, of)
    this.#takeOver(found)
    this.#version = version
    this.#doubtful = false
  }

  /** What the list says is what is; without a pause, so that nobody sees half of it. */
  #takeOver(found: ReadonlyMap<string, T>): void {
    for (const [key, object] of this.#objects) if (!found.has(key)) this.#remove(key, object)
    for (const [key, object] of found) this.#put(key, object, this.#restored)
    this.#restored = false
    const first = !this.#synced
    this.#synced = true
    this.#options.onChange({ type: 'synced' })
    if (first) this.#firstSync.resolve()
  }

  /**
   * After a failure: does the server know what we know? One that was restored from a backup knows less, and would keep
   * silent about everything up to our version.
   */
  async #compare(signal: AbortSignal): Promise<void> {
    const { api, of, fieldSelector, labelSelector } = this.#options
    const page = await api.list(of, { limit: 1, fieldSelector, labelSelector }, { signal, attempts: 2 })
    const older = isOlder(page.metadata.resourceVersion, this.#version)
    if (older === true) this.#wentBack(page.metadata.resourceVersion)
    else if (older === undefined) this.#version = ''
    else this.#doubtful = false
  }

  #wentBack(version: string): void {
    const of = resourceName(this.#options.of.type)
    this.#options.log.warn('the API server went back in time; listing again', {
      resource: of,
      from: this.#version,
      to: version,
    })
    this.#version = ''
    this.#restored = true
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { api, of, fieldSelector, labelSelector, observe } = this.#options
    const { watchSeconds, graceMs } = this.#timing
    const timeoutSeconds = Math.max(1, Math.round(watchSeconds * (1 + this.#random() / 2)))
    const from = { resourceVersion: this.#version, timeoutSeconds, graceMs, fieldSelector, labelSelector }
    const startMs = this.#clock.now()
    const ended = new AbortController()
    const opened = (): void => {
      this.#connected = true
      void this.#workedFor(this.#timing.healthyMs, ended.signal)
    }
    this.#lively = false
    try {
      for await (const { type, object } of api.watch(of, from, { signal, opened })) {
        if (type === 'ERROR') continue
        const version = object.metadata.resourceVersion ?? ''
        if (isOlder(version, this.#version) === true) return this.#wentBack(version)
        this.#version = version
        if (type === 'BOOKMARK') continue
        this.#lively = true
        this.#complaint.works()
        observe?.({ type: 'event' }, of)
        this.#event(type, object)
      }
    } finally {
      ended.abort()
    }
    // Ended before its time: whoever answers next may be another server.
    if (this.#clock.now() - startMs < timeoutSeconds * 1000 - 2000) this.#doubtful = true
  }

  async #workedFor(ms: number, ended: AbortSignal): Promise<void> {
    await this.#clock.wait(ms, ended)
    if (!ended.aborted) this.#complaint.works()
  }

  #event(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): void {
    const key = keyOf(object)
    const of = { apiVersion: apiVersionOf(this.#options.of.type), kind: this.#options.of.type.kind }
    const kept = type === 'DELETED' ? undefined : this.#options.transform({ ...of, ...object })
    if (kept !== undefined) return this.#put(key, kept, false)
    const old = this.#objects.get(key)
    if (old !== undefined) this.#remove(key, old)
  }

  #put(key: string, object: T, always: boolean): void {
    const old = this.#objects.get(key)
    const { resourceVersion, uid } = object.metadata
    if (!always && old !== undefined && old.metadata.resourceVersion === resourceVersion && old.metadata.uid === uid)
      return
    this.#objects.set(key, object)
    this.#options.onChange(old === undefined ? { type: 'set', key, object } : { type: 'set', key, object, old })
  }

  #remove(key: string, object: T): void {
    this.#objects.delete(key)
    this.#options.onChange({ type: 'delete', key, object })
  }
}
