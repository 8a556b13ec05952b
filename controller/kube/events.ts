/**
 * Events on objects, for what a person must know, once: the same words about the same object become one Event that
 * counts. Never blocks and never fails its caller.
 * https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Log } from '../../log/log.ts'
import { monotonicClock, type Clock } from '../../pace/clock.ts'
import { TokenBucket, type Rate } from '../../pace/token-bucket.ts'
import { isNotFound } from './api-error.ts'
import type { Api } from './api.ts'
import { microTime } from './micro-time.ts'
import type { ResourceType } from './object.ts'

export interface ObjectReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string | undefined
  readonly uid?: string | undefined
  readonly resourceVersion?: string | undefined
}

export interface Occurrence {
  readonly regarding: ObjectReference
  readonly related?: ObjectReference | undefined
  readonly type: 'Normal' | 'Warning'
  /** CamelCase. */
  readonly reason: string
  /** What was being done: CamelCase. */
  readonly action: string
  /** For people; cut at 1024 bytes. */
  readonly note: string
}

export interface EventRecorderOptions {
  readonly api: Pick<Api, 'create' | 'mergePatch'>
  /** `example.com/controller` */
  readonly reportingController: string
  /** Which process. */
  readonly reportingInstance: string
  /** @default 5 a second, 50 at once */
  readonly rate?: Rate
  /** The same words again are only counted for this long, then the count is written. @default ten minutes */
  readonly windowMs?: number
  readonly log: Log
  readonly clock?: Clock
  readonly now?: () => Date
}

interface Series {
  readonly name: string
  readonly namespace: string
  count: number
  /** When the Event was written last; undefined: it never was. */
  writtenMs: number | undefined
  /** The count that was written. */
  writtenCount: number
  lastSeen: Date
  occurrence: Occurrence
  queued: boolean
}

const events: ResourceType = { group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event' }
const NOTE_BYTES = 1024
const WINDOW_MS = 600_000
const RATE: Rate = { perSecond: 5, burst: 50 }
/** More than this are forgotten (series, the oldest first) or dropped (in the queue). */
const MOST_SERIES = 4096
const MOST_QUEUED = 1000

export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #clock: Clock
  readonly #now: () => Date
  readonly #bucket: TokenBucket
  readonly #series = new Map<string, Series>()
  readonly #queue: Series[] = []
  readonly #stopped = new AbortController()
  #working: Promise<void> | undefined
  #complained = false
  #dropping = false

  constructor(options: EventRecorderOptions) {
    this.#options = options
    this.#clock = options.clock ?? monotonicClock
    this.#now = options.now ?? (() => new Date())
    this.#bucket = new TokenBucket(options.rate ?? RATE, this.#clock.now())
  }

  record(occurrence: Occurrence): void {
    if (this.#stopped.signal.aborted) return
    const { windowMs = WINDOW_MS, log } = this.#options
    const series = this.#seriesOf(occurrence)
    series.count += 1
    series.lastSeen = this.#now()
    series.occurrence = occurrence
    if (series.queued) return
    if (series.writtenMs !== undefined && this.#clock.now() - series.writtenMs < windowMs) return
    if (this.#queue.length >= MOST_QUEUED) {
      if (!this.#dropping) log.warn('too many Events to write; some are left out', { queued: this.#queue.length })
      this.#dropping = true
      return
    }
    series.queued = true
    this.#queue.push(series)
    this.#working ??= this.#work()
  }

  /** Writes what is waiting, for as long as `signal` lets it, then no more. */
  async close(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#stopped.abort()
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    await this.#working
    signal.removeEventListener('abort', stop)
    stop()
  }

  #seriesOf({ regarding, type, reason, note }: Occurrence): Series {
    const { apiVersion, kind, namespace, name, uid } = regarding
    const key = createHash('sha1')
      .update(JSON.stringify([apiVersion, kind, namespace, name, uid, type, reason, note]))
      .digest('base64')
    const known = this.#series.get(key)
    this.#series.delete(key)
    const series = known ?? {
      ...freshName(regarding),
      count: 0,
      writtenMs: undefined,
      writtenCount: 0,
      lastSeen: this.#now(),
      occurrence: { regarding, type, reason, note, action: '' },
      queued: false,
    }
    // Newest last; the oldest go when there are too many.
    this.#series.set(key, series)
    if (this.#series.size > MOST_SERIES) {
      const [oldest] = this.#series.keys()
      if (oldest !== undefined) this.#series.delete(oldest)
    }
    return series
  }

  async #work(): Promise<void> {
    const { signal } = this.#stopped
    for (let series = this.#queue.shift(); series !== undefined; series = this.#queue.shift()) {
      for (let ms = this.#bucket.take(this.#clock.now()); ms > 0; ms = this.#bucket.take(this.#clock.now())) {
        await this.#clock.wait(ms, signal)
        if (signal.aborted) break
      }
      if (signal.aborted) break
      series.queued = false
      try {
        await this.#write(series, signal)
        this.#complained = false
      } catch (error) {
        if (signal.aborted) break
        // Not tried again at once: an Event that nobody can take now is not worth a queue that grows.
        if (!this.#complained) this.#options.log.warn('an Event could not be written', { error })
        this.#complained = true
      }
    }
    this.#dropping = false
    this.#working = undefined
  }

  async #write(series: Series, signal: AbortSignal): Promise<void> {
    const { api, reportingController } = this.#options
    const { count } = series
    const at = { type: events, namespace: series.namespace }
    if (series.writtenMs !== undefined) {
      const patch = { series: { count, lastObservedTime: microTime(series.lastSeen) } }
      try {
        await api.mergePatch({ ...at, name: series.name }, patch, { fieldManager: reportingController, signal })
        return wrote(series, count, this.#clock.now())
      } catch (error) {
        // Events go after an hour or so; then it is a new one.
        if (!isNotFound(error)) throw error
        Object.assign(series, freshName(series.occurrence.regarding), { count: count - series.writtenCount })
      }
    }
    await api.create(at, this.#event(series), { signal })
    wrote(series, series.count, this.#clock.now())
  }

  #event(series: Series): object {
    const { regarding, related, type, reason, action, note } = series.occurrence
    const { reportingController, reportingInstance } = this.#options
    const time = microTime(series.lastSeen)
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: series.name, namespace: series.namespace },
      eventTime: time,
      reportingController,
      reportingInstance: reportingInstance.slice(0, 128),
      type,
      reason: reason.slice(0, 128),
      action: action.slice(0, 128),
      note: cut(note),
      regarding,
      ...(related === undefined ? {} : { related }),
      // A series is of two or more.
      ...(series.count < 2 ? {} : { series: { count: series.count, lastObservedTime: time } }),
    }
  }
}

function wrote(series: Series, count: number, nowMs: number): void {
  series.writtenMs = nowMs
  series.writtenCount = count
}

/** Events about objects without a namespace live in `default`: the API server refuses them elsewhere. */
function freshName({ name, namespace }: ObjectReference): { name: string; namespace: string } {
  return { name: `${name.slice(0, 230)}.${randomBytes(8).toString('hex')}`, namespace: namespace ?? 'default' }
}

/** At most 1024 bytes, and no character cut in two. */
function cut(note: string): string {
  const bytes = Buffer.from(note)
  if (bytes.length <= NOTE_BYTES) return note
  let end = NOTE_BYTES - 3
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return `${bytes.subarray(0, end).toString('utf8')}...`
}
