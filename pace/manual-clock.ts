import type { Clock } from './clock.ts'

/** A clock for tests: time stands still until `advance`, which lets waiters go in the order of their times. */
export class ManualClock implements Clock {
  #nowMs = 0
  readonly #waiters = new Set<{ readonly dueMs: number; readonly go: () => void }>()

  now(): number {
    return this.#nowMs
  }

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter = { dueMs: this.#nowMs + ms, go: resolve }
    this.#waiters.add(waiter)
    const aborted = (): void => resolve()
    signal.addEventListener('abort', aborted, { once: true })
    await promise
    signal.removeEventListener('abort', aborted)
    this.#waiters.delete(waiter)
  }

  /** Moves time on; what waited for a moment in between runs at that moment. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      await settled()
      const next = [...this.#waiters].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) break
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      this.#waiters.delete(next)
      next.go()
    }
    this.#nowMs = endMs
    await settled()
  }
}

/** Lets everything run that can run without time or input. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
