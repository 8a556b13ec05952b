/**
 * How far a pass is, for people who wait for it: said in the log once a second, and in the status while it runs. And where
 * the time goes.
 */
import type { Log } from '../log/log.ts'

export interface ProgressReport {
  /** When the pass began; milliseconds since 1970. */
  readonly since: number
  /** What is being done, in words. */
  readonly doing: string
  /** Steps of all that this round of the pass has to do. */
  readonly done: number
  readonly total: number
}

/** Shorter passes are over before anybody asks. */
const SAY_MS = 1000

export class Progress {
  readonly #log: Log
  readonly #now: () => number
  readonly #since: number
  #said: number
  #doing = 'looking'
  #total = 0
  /** Steps of the phases before, of this one, and those of them that are done. */
  #before = 0
  #steps = 0
  #here = 0
  /** Milliseconds of the phases that are over; when this one began. */
  readonly #took = new Map<string, number>()
  #began = performance.now()

  /** `now` is in milliseconds since 1970. */
  constructor(log: Log, now: () => number) {
    this.#log = log
    this.#now = now
    this.#since = now()
    this.#said = this.#since
  }

  get report(): ProgressReport {
    return { since: this.#since, doing: this.#doing, done: this.#before + this.#here, total: this.#total }
  }

  /** A round has this many steps to do. */
  round(total: number): void {
    this.#total = total
    this.#before = 0
    this.#here = 0
    this.#steps = 0
  }

  /** The next phase, with so many of the steps; those of the one before are over, whatever was told of them. */
  phase(doing: string, steps = 0): void {
    this.#before += this.#steps
    this.#here = 0
    this.#steps = steps
    this.#count()
    this.#doing = doing
    this.#say()
  }

  /** Ends the last phase. Returns how long each took, in milliseconds, in the order in which they were first begun. */
  end(): ReadonlyMap<string, number> {
    this.#count()
    return this.#took
  }

  #count(): void {
    const now = performance.now()
    this.#took.set(this.#doing, (this.#took.get(this.#doing) ?? 0) + now - this.#began)
    this.#began = now
  }

  /** So many steps more of this phase are done. */
  done(count: number): void {
    this.#here += count
    this.#say()
  }

  #say(): void {
    const now = this.#now()
    if (now - this.#said < SAY_MS) return
    this.#said = now
    const { doing, done, total, since } = this.report
    this.#log.info('at work', { doing, done, of: total, seconds: Math.round((now - since) / 1000) })
  }
}
