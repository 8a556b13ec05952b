/**
 * Writes what shall be, by server-side apply: for each object only the newest wish, only when it differs from what is
 * there, not more than so many a second, again and again until the server takes it. A thousand wishes for one object
 * while the server is slow are one request.
 */
import { createHash } from 'node:crypto'
import type { Log } from '../../log/log.ts'
import { backoffMs } from '../../pace/backoff.ts'
import { monotonicClock, type Clock } from '../../pace/clock.ts'
import { TokenBucket, type Rate } from '../../pace/token-bucket.ts'
import { ApiError } from './api-error.ts'
import type { Api } from './api.ts'
import { canonical } from './canonical.ts'
import { isOlder, keyOf, resourceName, type KubeObject, type Target } from './object.ts'

export interface Wish {
  /** The object, or its `status` by `subresource: 'status'`; each is written for itself. */
  readonly at: Target
  /** All that we want of it: `{ status: {...} }`, `{ metadata: { ownerReferences }, spec }`. */
  readonly fields: object
  /** The same fields as they are known to be now, and the version they were seen in: equal ones are not written. */
  readonly seen?: { readonly fields: object; readonly resourceVersion: string } | undefined
}

export interface WriterOptions {
  readonly api: Pick<Api, 'apply'>
  readonly fieldManager: string
  readonly rate: Rate
  /** Requests under way at one time. @default 8 */
  readonly concurrency?: number
  readonly log: Log
  /** After each request: `OK`, or the reason of the ApiError. */
  readonly observe?: ((result: string) => void) | undefined
  /** The server will never take it as it is (400, 422): told once for each wish. */
  readonly onRefused?: ((at: Target, error: ApiError) => void) | undefined
  readonly clock?: Clock
  readonly random?: () => number
}

interface Entry {
  readonly at: Target
  readonly key: string
  wish: { readonly fields: object; readonly digest: string } | undefined
  /** What was written last, and the version that made. */
  written: { readonly digest: string; readonly resourceVersion: string } | undefined
  busy: boolean
  failures: number
  /** Not before. */
  notBeforeMs: number
  complained: boolean
}

const BACKOFF = { firstMs: 500, longestMs: 60_000 }
/** No answer, bad credentials, too many requests, overload, gateways: not this object's fault. */
const SERVER_WIDE = new Set([0, 401, 429, 502, 503, 504])
const SERVER_BACKOFF = { firstMs: 500, longestMs: 10_000 }
const CONCURRENCY = 8
/** Failures in a row that are worth a line, where they may heal by themselves. */
const COMPLAINT = 3

export class Writer {
  readonly #options: WriterOptions
  readonly #clock: Clock
  readonly #random: () => number
  readonly #bucket: TokenBucket
  readonly #entries = new Map<string, Entry>()
  /** Keys with a wish that is not under way, oldest wish first. */
  readonly #waiting = new Set<string>()
  readonly #stopped = new AbortController()
  #underWay = 0
  /** The server as a whole does not answer, or asked for a pause: nothing is sent before. */
  #serverFailures = 0
  #notBeforeMs = 0
  #alarm: AbortController | undefined
  #idle: PromiseWithResolvers<void> | undefined

  constructor(options: WriterOptions) {
    this.#options = options
    this.#clock = options.clock ?? monotonicClock
    this.#random = options.random ?? Math.random
    this.#bucket = new TokenBucket(options.rate, this.#clock.now())
  }

  /** Wishes that are not fulfilled yet. */
  get backlog(): number {
    return this.#waiting.size + this.#underWay
  }

  /** Never blocks, never throws. */
  apply({ at, fields, seen }: Wish): void {
    if (this.#stopped.signal.aborted) return
    const key = entryKey(at)
    const entry = this.#entries.get(key) ?? fresh(at, key)
    this.#entries.set(key, entry)
    const digest = digestOf(fields)
    if (!entry.busy && isThere(entry, digest, seen)) {
      entry.wish = undefined
      this.#waiting.delete(key)
      this.#settle()
      return
    }
    // The same wish again does not shorten the wait after a failure; another one may be taken at once.
    if (entry.wish?.digest !== digest) {
      entry.notBeforeMs = entry.failures > 0 ? Math.min(entry.notBeforeMs, this.#clock.now() + BACKOFF.firstMs) : 0
      entry.complained = false
    }
    entry.wish = { fields, digest }
    if (!entry.busy) this.#waiting.add(key)
    this.#pump()
  }

  /** The object is gone: what is not under way is not written, and nothing is remembered of it. */
  forget(at: Target): void {
    const key = entryKey(at)
    this.#waiting.delete(key)
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.wish = undefined
    this.#entries.delete(key)
    this.#settle()
  }

  /** Resolves when nothing is left to write, or when `signal` aborts. */
  async drained(signal: AbortSignal): Promise<void> {
    if (this.backlog === 0 || signal.aborted) return
    this.#idle ??= Promise.withResolvers<void>()
    const { promise, resolve } = Promise.withResolvers<void>()
    const end = (): void => resolve()
    signal.addEventListener('abort', end, { once: true })
    await Promise.race([this.#idle.promise, promise])
    signal.removeEventListener('abort', end)
  }

  /** No more writes; what is under way is given up. For the loss of leadership, and after `drained`. */
  stop(): void {
    this.#stopped.abort()
    this.#alarm?.abort()
    this.#waiting.clear()
    this.#entries.clear()
    this.#settle()
  }

  /** Starts what may start now, and sets the alarm for what may start later. */
  #pump(): void {
    // While the server as a whole has trouble, one request finds out whether it still has.
    const concurrency = this.#serverFailures > 0 ? 1 : (this.#options.concurrency ?? CONCURRENCY)
    const nowMs = this.#clock.now()
    let laterMs = this.#notBeforeMs > nowMs && this.#waiting.size > 0 ? this.#notBeforeMs - nowMs : Infinity
    for (const key of laterMs === Infinity ? this.#waiting : []) {
      if (this.#underWay >= concurrency) return
      const entry = this.#entries.get(key)
      if (entry === undefined) continue
      if (entry.notBeforeMs > nowMs) {
        laterMs = Math.min(laterMs, entry.notBeforeMs - nowMs)
        continue
      }
      const tokenMs = this.#bucket.take(nowMs)
      if (tokenMs > 0) {
        laterMs = Math.min(laterMs, tokenMs)
        break
      }
      this.#waiting.delete(key)
      this.#underWay += 1
      void this.#write(entry)
    }
    this.#alarm?.abort()
    this.#alarm = undefined
    if (laterMs !== Infinity) void this.#wake(laterMs)
  }

  async #wake(ms: number): Promise<void> {
    const alarm = new AbortController()
    this.#alarm = alarm
    await this.#clock.wait(ms, alarm.signal)
    if (!alarm.signal.aborted) this.#pump()
  }

  async #write(entry: Entry): Promise<void> {
    const { wish, at } = entry
    if (wish === undefined) return
    entry.busy = true
    const { api, fieldManager, observe } = this.#options
    const { signal } = this.#stopped
    try {
      const stored = await api.apply<KubeObject>(at, wish.fields, { fieldManager, signal, attempts: 1 })
      observe?.('OK')
      entry.written = { digest: wish.digest, resourceVersion: stored.metadata.resourceVersion ?? '' }
      if (this.#serverFailures >= COMPLAINT) this.#options.log.info('the API server takes writes again')
      this.#serverFailures = 0
      entry.failures = 0
      entry.notBeforeMs = 0
      entry.complained = false
      if (entry.wish?.digest === wish.digest) entry.wish = undefined
    } catch (error) {
      if (!signal.aborted) this.#failed(entry, error, wish)
    }
    entry.busy = false
    this.#underWay -= 1
    if (entry.wish !== undefined && this.#entries.get(entry.key) === entry) this.#waiting.add(entry.key)
    if (!signal.aborted) this.#pump()
    this.#settle()
  }

  #failed(entry: Entry, error: unknown, wish: object): void {
    const { log, observe, onRefused } = this.#options
    const reason = error instanceof ApiError ? error.reason : 'Internal'
    observe?.(reason)
    if (error instanceof ApiError && error.status === 404 && reason === 'NotFound') {
      // Gone, and its status with it. Should it come back, it is a new wish.
      if (entry.wish === wish) entry.wish = undefined
      if (entry.wish === undefined && this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key)
      return
    }
    entry.failures += 1
    entry.written = undefined
    const nowMs = this.#clock.now()
    const status = error instanceof ApiError ? error.status : 500
    const askedMs = error instanceof ApiError ? Math.min((error.retryAfterSeconds ?? 0) * 1000, BACKOFF.longestMs) : 0
    if (SERVER_WIDE.has(status)) {
      this.#serverFailures += 1
      const pauseMs = backoffMs(this.#serverFailures, SERVER_BACKOFF, this.#random())
      this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + Math.max(pauseMs, askedMs))
      if (this.#serverFailures === COMPLAINT) log.warn('the API server takes no writes; trying again', { error })
      return
    }
    // The server will not change its mind about 400 and 422; but somebody may install another version of it.
    const refused = status === 400 || status === 422
    const backoff = refused ? BACKOFF.longestMs : backoffMs(entry.failures, BACKOFF, this.#random())
    entry.notBeforeMs = nowMs + Math.max(backoff, askedMs)
    if (entry.complained || (status === 409 && entry.failures < COMPLAINT)) return
    entry.complained = true
    log.warn('not written; trying again', { resource: resourceName(entry.at.type), name: entry.at.name, error })
    if (refused && error instanceof ApiError) onRefused?.(entry.at, error)
  }

  #settle(): void {
    if (this.backlog > 0 && !this.#stopped.signal.aborted) return
    this.#idle?.resolve()
    this.#idle = undefined
  }
}

/** Whether what is wished for is so already, as far as is known. */
function isThere(entry: Entry, digest: string, seen: Wish['seen']): boolean {
  const { written } = entry
  if (written === undefined) return seen !== undefined && digestOf(seen.fields) === digest
  // What was seen is from before our last write: that write counts, whatever is seen.
  if (seen === undefined || isOlder(seen.resourceVersion, written.resourceVersion) === true)
    return written.digest === digest
  return digestOf(seen.fields) === digest
}

function fresh(at: Target, key: string): Entry {
  return { at, key, wish: undefined, written: undefined, busy: false, failures: 0, notBeforeMs: 0, complained: false }
}

function entryKey({ type, namespace, name, subresource = '' }: Target): string {
  return `${resourceName(type)}/${subresource}/${keyOf({ metadata: { name, namespace } })}`
}

function digestOf(fields: object): string {
  return createHash('sha1').update(canonical(fields)).digest('base64')
}
