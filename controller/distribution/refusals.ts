/** Refusals in the log: one line a minute for a peer and what is wrong with it, however often it tries. */
import type { Log } from '../../log/log.ts'
import type { Ending } from './ending.ts'

const MINUTE_MS = 60_000
/** Pairs that are remembered. Who has this many addresses gets more lines, but no more memory. */
const MAX_KNOWN = 1000

export class Refusals {
  readonly #log: Log
  readonly #now: () => number
  readonly #known = new Map<string, { sinceMs: number; silent: number }>()

  constructor(log: Log, now: () => number) {
    this.#log = log
    this.#now = now
  }

  /** `peer` is ADDRESS:PORT; the port changes with every try. */
  note(peer: string, { reason }: Ending, cause: string): void {
    // Who mends one thing wants to hear of the next; there are few reasons.
    const key = `${peer.replace(/:\d+$/, '')} ${reason}`
    const now = this.#now()
    const known = this.#known.get(key)
    if (known && now - known.sinceMs < MINUTE_MS) {
      known.silent++
      return
    }
    this.#known.delete(key)
    const [oldest] = this.#known.keys()
    if (this.#known.size >= MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(key, { sinceMs: now, silent: 0 })
    const unsaid = known && known.silent > 0 ? { refusedSinceLastLine: known.silent } : {}
    this.#log.warn('an agent is refused', { peer, reason, cause, ...unsaid })
  }
}
