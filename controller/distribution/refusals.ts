/** Refusals in the log: one line a peer and minute, however often it tries. */
import type { Log } from '../../log/log.ts'
import type { Ending } from './ending.ts'

const MINUTE_MS = 60_000
/** Peers that are remembered. Who has this many addresses gets more lines, but no more memory. */
const MAX_PEERS = 1000

export class Refusals {
  readonly #log: Log
  readonly #now: () => number
  readonly #peers = new Map<string, { sinceMs: number; silent: number }>()

  constructor(log: Log, now: () => number) {
    this.#log = log
    this.#now = now
  }

  /** `peer` is ADDRESS:PORT; the port changes with every try. */
  note(peer: string, { reason }: Ending, cause: string): void {
    const address = peer.replace(/:\d+$/, '')
    const now = this.#now()
    const known = this.#peers.get(address)
    if (known && now - known.sinceMs < MINUTE_MS) {
      known.silent++
      return
    }
    this.#peers.delete(address)
    const [oldest] = this.#peers.keys()
    if (this.#peers.size >= MAX_PEERS && oldest !== undefined) this.#peers.delete(oldest)
    this.#peers.set(address, { sinceMs: now, silent: 0 })
    const unsaid = known && known.silent > 0 ? { refusedSinceLastLine: known.silent } : {}
    this.#log.warn('an agent is refused', { peer, reason, cause, ...unsaid })
  }
}
