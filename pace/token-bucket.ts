/** So many a second, so many at once: a token bucket. Pure: the time (any clock in milliseconds that never goes back) comes in. */

export interface Rate {
  readonly perSecond: number
  /** How many may come at once after a rest. At least 1. */
  readonly burst: number
}

export class TokenBucket {
  readonly #rate: Rate
  #tokens: number
  #atMs: number

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#atMs = nowMs
  }

  /** Takes a token and returns 0, or takes none and returns the milliseconds until there will be one. */
  take(nowMs: number): number {
    const { perSecond, burst } = this.#rate
    this.#tokens = Math.min(burst, this.#tokens + (Math.max(0, nowMs - this.#atMs) / 1000) * perSecond)
    this.#atMs = Math.max(this.#atMs, nowMs)
    // A hair below one is one: sums of small steps must not make a waiter come twice.
    if (this.#tokens >= 1 - 1e-9) {
      this.#tokens = Math.max(0, this.#tokens - 1)
      return 0
    }
    return Math.ceil(((1 - this.#tokens) / perSecond) * 1000)
  }
}
