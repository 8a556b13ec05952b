/** How far a pass is, for people who wait for it: said in the log once a second, and in the status while it runs. */
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
  /** Of the phases before, and of this one. */
  #before = 0
  #here = 0

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
  }

  /** The next phase; what the one before has done is done. */
  phase(doing: string): void {
    this.#before += this.#here
    this.#here = 0
    this.#doing = doing
    this.#say()
  }

  /** So many steps of this phase are done. */
  done(count: number): void {
    this.#here = count
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
