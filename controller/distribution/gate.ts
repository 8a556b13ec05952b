/** So many at a time, first come, first served. */
export class Gate {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(places: number) {
    this.#free = places
  }

  /** Waits for a place and keeps it until the work is done. @throws the signal's reason; what the work throws. */
  async pass<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free--
    else await this.#turn(signal)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(enter)
        reject(signal.reason as Error)
      }
      const enter = (): void => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      this.#waiting.add(enter)
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  #leave(): void {
    const [next] = this.#waiting
    if (!next) this.#free++
    else if (this.#waiting.delete(next)) next()
  }
}
