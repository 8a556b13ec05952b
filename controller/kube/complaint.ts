/** Says once what does not work, and once that it works again. What heals by itself at once is not worth a line. */
import { messageOf, type Log } from '../../log/log.ts'
import type { Clock } from '../../pace/clock.ts'
import { ApiError } from './api-error.ts'

/** Broken connections and busy servers are the daily bread of watches; they are a complaint when they last. */
const PATIENCE_MS = 10_000
/** These do not heal by themselves. */
const LASTING = new Set(['NotFound', 'Forbidden', 'Unauthorized', 'Credentials', 'MethodNotAllowed', 'BadRequest'])

export class Complaint {
  readonly #log: Log
  readonly #clock: Clock
  readonly #subject: string
  #sinceMs: number | undefined
  #said: string | undefined

  constructor(log: Log, clock: Clock, subject: string) {
    this.#log = log
    this.#clock = clock
    this.#subject = subject
  }

  failed(error: unknown): void {
    const reason = error instanceof ApiError ? error.reason : 'Internal'
    const nowMs = this.#clock.now()
    this.#sinceMs ??= nowMs
    if (!(error instanceof ApiError) && this.#said !== reason) return this.#say(reason, error)
    const due = LASTING.has(reason) || nowMs - this.#sinceMs >= PATIENCE_MS
    if (due && this.#said !== reason) return this.#say(reason, error)
    this.#log.debug('trying again', { resource: this.#subject, reason, error })
  }

  works(): void {
    if (this.#said !== undefined) this.#log.info('works again', { resource: this.#subject, after: this.#said })
    this.#said = undefined
    this.#sinceMs = undefined
  }

  #say(reason: string, error: unknown): void {
    this.#said = reason
    this.#log.warn(messageOf(error), { resource: this.#subject, reason })
  }
}
