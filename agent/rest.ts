/**
 * What the agent does when its work is over for now: gives memory back. A large plan takes tens of MiB for a moment, V8
 * keeps them for a while, and the C library keeps what is free between what is in use until it is asked.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { addon } from './kernel/netlink/addon.ts'
import { monotonicClock, type Clock } from '../pace/clock.ts'

/** How long after the last of much work. A little is not worth it: a change that meets a collection feels it. */
const AFTER_MS = 2000
/** Less than this is not worth a collection. */
const GROWN_BYTES = 4 << 20

export class Rest implements Disposable {
  readonly #clock: Clock
  readonly #giveBack: () => void
  #waiting = new AbortController()
  /** When memory is to be given back; undefined: it was. */
  #due: number | undefined

  constructor(clock: Clock = monotonicClock, giveBack: () => void = givingBack()) {
    this.#clock = clock
    this.#giveBack = giveBack
  }

  /** Work begins. */
  interrupt(): void {
    this.#waiting.abort()
  }

  /** It has ended; `much` of it was done. */
  resume(much: boolean): void {
    this.interrupt()
    const now = this.#clock.now()
    if (much) this.#due = now + AFTER_MS
    if (this.#due !== undefined) void this.#after(Math.max(0, this.#due - now))
  }

  async #after(ms: number): Promise<void> {
    const { signal } = (this.#waiting = new AbortController())
    await this.#clock.wait(ms, signal)
    if (signal.aborted) return
    this.#due = undefined
    this.#giveBack()
  }

  [Symbol.dispose](): void {
    this.interrupt()
  }
}

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void

function givingBack(): () => void {
  let collect: Collect | undefined
  /** Size of the heap after the last collection. */
  let heapBytes = 0
  return () => {
    if (getHeapStatistics().total_heap_size > heapBytes + GROWN_BYTES) {
      collect ??= collector()
      collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
      heapBytes = getHeapStatistics().total_heap_size
    }
    addon().trimMemory()
  }
}

/** V8 offers its collector to contexts that begin after the flag is set. */
function collector(): Collect {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}
