/**
 * Many triggers, one worker: reasons to look again are collected until things are quiet, then handed over together. What
 * is urgent ends the wait at once; what comes while the worker is busy is handed over together after that.
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
  #urgent = false
  /** Takes the alarm back that is set. */
  #disarm: (() => void) | undefined
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

  /** The same without waiting for quiet, for what comes seldom or whole: no more of it is to be expected. */
  requestNow(reason: string): void {
    if (!this.#urgent) this.#quiet()
    this.#urgent = true
    this.request(reason)
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
    this.#quiet()
    this.#resolve = undefined
    return reasons
  }

  #arm(): void {
    if (this.#resolve === undefined || this.#reasons.size === 0 || this.#disarm !== undefined) return
    if (this.#urgent) {
      const alarm = setImmediate(() => this.#fire())
      this.#disarm = () => clearImmediate(alarm)
      return
    }
    const due = this.#due
    const alarm = setTimeout(
      () => {
        this.#disarm = undefined
        if (this.#due > due) this.#arm()
        else this.#fire()
      },
      Math.max(0, due - performance.now()),
    )
    this.#disarm = () => clearTimeout(alarm)
  }

  get #due(): number {
    return Math.min(this.#last + this.#options.quietMs, this.#first + this.#options.latestMs)
  }

  #quiet(): void {
    this.#disarm?.()
    this.#disarm = undefined
  }

  #fire(): void {
    this.#disarm = undefined
    const reasons = [...this.#reasons]
    this.#reasons.clear()
    this.#urgent = false
    this.#resolve?.(reasons)
  }
}
