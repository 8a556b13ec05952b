/**
 * An agent may say so much a second. What is more stays in its own buffers: the stream is not read until the second is
 * over, and HTTP/2's flow control does the rest.
 */
import type { Readable } from 'node:stream'

const SECOND_MS = 1000

export class Inflow {
  readonly #stream: Pick<Readable, 'pause' | 'resume'>
  readonly #perSecond: number
  #sinceMs = -Infinity
  #count = 0
  #timer: NodeJS.Timeout | undefined

  constructor(stream: Pick<Readable, 'pause' | 'resume'>, perSecond: number) {
    this.#stream = stream
    this.#perSecond = perSecond
  }

  /** A message has come that is as much work as this many small ones. */
  note(work: number): void {
    const now = performance.now()
    if (now - this.#sinceMs >= SECOND_MS) {
      this.#sinceMs = now
      this.#count = 0
    }
    this.#count += work
    if (this.#count < this.#perSecond || this.#timer) return
    this.#stream.pause()
    this.#wait(this.#sinceMs + SECOND_MS)
  }

  /** Timers count from when the loop last looked at the clock, so they may be early. */
  #wait(untilMs: number): void {
    const left = untilMs - performance.now()
    this.#timer = undefined
    if (left <= 0) this.#stream.resume()
    else this.#timer = setTimeout(() => this.#wait(untilMs), left)
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}
