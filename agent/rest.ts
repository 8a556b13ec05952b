/**
 * What the agent does when its work is over for now: gives memory back. A large plan takes tens of MiB for a moment, V8
 * keeps them for a while, and the C library keeps what is free between what is in use until it is asked.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { addon } from './kernel/netlink/addon.ts'
import { monotonicClock, type Clock } from '../pace/clock.ts'

/**
 * How long after the last work. A collection takes long enough to be felt by a change that meets it: after a little work,
 * which is often followed by more, there is no hurry.
 */
const AFTER_MS = { much: 2000, little: 30_000 }
/** Less than this is not worth a collection. */
const GROWN_BYTES = 4 << 20

export type Work = 'nothing' | 'little' | 'much'

export class Rest implements Disposable {
  readonly #clock: Clock
  readonly #giveBack: () => void
  #waiting = new AbortController()
  /** What was done since memory was given back, and when it will be. */
  #done: Work = 'nothing'
  #due = 0

  constructor(clock: Clock = monotonicClock, giveBack: () => void = givingBack()) {
    this.#clock = clock
    this.#giveBack = giveBack
  }

  /** Work begins. */
  interrupt(): void {
    this.#waiting.abort()
  }

  /** It has ended. */
  resume(work: Work): void {
    this.interrupt()
    if (work === 'much' || this.#done === 'nothing') this.#done = work
    if (this.#done === 'nothing') return
    if (work !== 'nothing') this.#due = this.#clock.now() + AFTER_MS[this.#done]
    void this.#after(this.#due - this.#clock.now())
  }

  async #after(ms: number): Promise<void> {
    const { signal } = (this.#waiting = new AbortController())
    await this.#clock.wait(ms, signal)
    if (signal.aborted) return
    this.#done = 'nothing'
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
