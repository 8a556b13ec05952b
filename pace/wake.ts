/**
 * Many triggers, one worker: reasons to look again are collected until things are quiet, then handed over together.
 * Level-triggered, so nothing is lost when reasons melt into one.
 */

export interface WakeOptions {
  /** A wake-up is handed over when no reason came for this long. */
  readonly quietMs: number
  /** And at the latest this long after the first reason. */
  readonly latestMs: number
}

export class Wake {
  readonly #options: WakeOptions
  readonly #reasons = new Set<string>()
  #first = 0
  #last = 0
  #timer: NodeJS.Timeout | undefined
  #resolve: ((reasons: string[]) => void) | undefined

  constructor(options: WakeOptions) {
    this.#options = options
  }

  /** Asks for a pass; `reason` says why, for the log. */
  request(reason: string): void {
    const now = performance.now()
    if (this.#reasons.size === 0) this.#first = now
    this.#last = now
    this.#reasons.add(reason)
    this.#arm()
  }

  /** The reasons of the next pass: waits for one, then for quiet. Empty when `signal` aborts. One caller at a time. */
  async next(signal: AbortSignal): Promise<string[]> {
    if (signal.aborted) return []
    const { promise, resolve } = Promise.withResolvers<string[]>()
    const stop = (): void => resolve([])
    signal.addEventListener('abort', stop, { once: true })
    this.#resolve = resolve
    this.#arm()
    const reasons = await promise
    signal.removeEventListener('abort', stop)
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#resolve = undefined
    return reasons
  }

  #arm(): void {
    if (this.#resolve === undefined || this.#reasons.size === 0 || this.#timer !== undefined) return
    const due = Math.min(this.#last + this.#options.quietMs, this.#first + this.#options.latestMs)
    this.#timer = setTimeout(() => this.#fire(due), Math.max(0, due - performance.now()))
  }

  #fire(due: number): void {
    this.#timer = undefined
    const later = Math.min(this.#last + this.#options.quietMs, this.#first + this.#options.latestMs)
    if (later > due) return this.#arm()
    const reasons = [...this.#reasons]
    this.#reasons.clear()
    this.#resolve?.(reasons)
  }
}
