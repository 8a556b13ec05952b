/**
 * Writes at a steady rate: each key once, urgent ones first, and what is written is made at that moment, so that a
 * hundred changes while it waited are one write. A token bucket sets the rate; what fails comes again, later each time.
 */

/** Lower is written first. */
export type Priority = 0 | 1 | 2

export interface WriteQueueOptions {
  readonly perSecond: number
  readonly burst: number
  /** Writes under way at one time. */
  readonly atOnce: number
  /** Says that a write failed; it is tried again. */
  readonly failed: (key: string, error: unknown) => void
}

/** Writes what is true at this moment; what there is nothing to say of any more resolves at once, false: no token spent. */
type Write = (signal: AbortSignal) => Promise<boolean>

interface Waiting {
  readonly write: Write
  readonly priority: Priority
}

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000

export class WriteQueue {
  readonly #options: WriteQueueOptions
  readonly #queues: readonly [Map<string, Waiting>, Map<string, Waiting>, Map<string, Waiting>] = [
    new Map(),
    new Map(),
    new Map(),
  ]
  /** Keys whose write is under way, and what came for them meanwhile. */
  readonly #busy = new Map<string, Waiting | undefined>()
  readonly #failures = new Map<string, number>()
  /** Keys whose write failed and waits to be tried again. */
  readonly #retries = new Map<string, NodeJS.Timeout>()
  #wake: (() => void) | undefined
  #tokens: number
  #filledAt = performance.now()

  constructor(options: WriteQueueOptions) {
    this.#options = options
    this.#tokens = options.burst
  }

  /** Keys that wait. */
  get length(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.size, 0)
  }

  /** Whether what was asked for is not written yet. */
  has(key: string): boolean {
    return this.#busy.has(key) || this.#retries.has(key) || this.#queues.some((queue) => queue.has(key))
  }

  /** Asks for a write; one of the same key that waits is replaced, and takes the more urgent place of the two. */
  add(key: string, priority: Priority, write: Write): void {
    const waiting = { write, priority }
    // What failed before is older than this.
    clearTimeout(this.#retries.get(key))
    this.#retries.delete(key)
    if (this.#busy.has(key)) {
      this.#busy.set(key, waiting)
      return
    }
    const before = this.#queues.findIndex((queue) => queue.has(key))
    if (before >= 0 && before <= priority) this.#queues[before as Priority].set(key, waiting)
    else {
      if (before >= 0) this.#queues[before as Priority].delete(key)
      this.#queues[priority].set(key, waiting)
    }
    this.#wake?.()
  }

  /** Drops what waits. */
  clear(): void {
    for (const queue of this.#queues) queue.clear()
    for (const retry of this.#retries.values()) clearTimeout(retry)
    this.#retries.clear()
    this.#failures.clear()
  }

  /** Writes until the signal aborts; then waits for what is under way. */
  async run(signal: AbortSignal): Promise<void> {
    const underWay = new Set<Promise<void>>()
    while (!signal.aborted) {
      const next = this.#busy.size < this.#options.atOnce ? this.#take() : undefined
      if (next === undefined) {
        await this.#idle(signal)
        continue
      }
      const [key, waiting] = next
      this.#busy.set(key, undefined)
      const write = this.#write(key, waiting, signal)
      underWay.add(write)
      void write.finally(() => underWay.delete(write))
    }
    await Promise.all(underWay)
    this.clear()
  }

  #take(): [string, Waiting] | undefined {
    const { perSecond, burst } = this.#options
    const now = performance.now()
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * perSecond)
    this.#filledAt = now
    if (this.#tokens < 1) return undefined
    for (const queue of this.#queues)
      for (const [key, waiting] of queue) {
        queue.delete(key)
        this.#tokens--
        return [key, waiting]
      }
    return undefined
  }

  async #write(key: string, waiting: Waiting, signal: AbortSignal): Promise<void> {
    try {
      const wrote = await waiting.write(signal)
      if (!wrote) this.#tokens = Math.min(this.#options.burst, this.#tokens + 1)
      this.#failures.delete(key)
    } catch (error) {
      if (!signal.aborted) {
        this.#options.failed(key, error)
        const failures = (this.#failures.get(key) ?? 0) + 1
        this.#failures.set(key, failures)
        const delay = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1))
        this.#retries.set(
          key,
          setTimeout(() => this.add(key, waiting.priority, waiting.write), delay),
        )
      }
    }
    const again = this.#busy.get(key)
    this.#busy.delete(key)
    if (again !== undefined) this.add(key, again.priority, again.write)
    this.#wake?.()
  }

  /** Until something comes, a write ends, or a token is there for what waits. */
  async #idle(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const stop = (): void => resolve()
    signal.addEventListener('abort', stop, { once: true })
    const wait = this.length > 0 && this.#tokens < 1 ? ((1 - this.#tokens) / this.#options.perSecond) * 1000 : undefined
    const timer = wait === undefined ? undefined : setTimeout(resolve, Math.max(1, wait))
    await promise
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    this.#wake = undefined
  }
}
