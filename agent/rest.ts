/**
 * What the agent does when its work is over for now: gives memory back. A large plan takes tens of MiB for a moment, V8
 * keeps them for a while, and the C library keeps what is free between what is in use until it is asked.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { addon } from './kernel/netlink/addon.ts'

/** After the last work; more work begins it anew. */
const AFTER_MS = 2000
/** Less than this is not worth a collection. */
const GROWN_BYTES = 4 << 20

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void

export class Rest implements Disposable {
  #timer: NodeJS.Timeout | undefined
  #collect: Collect | undefined
  /** Size of the heap after the last collection. */
  #heapBytes = 0

  /** Work has ended. */
  begin(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#giveBack(), AFTER_MS).unref()
  }

  #giveBack(): void {
    if (getHeapStatistics().total_heap_size > this.#heapBytes + GROWN_BYTES) {
      this.#collect ??= collector()
      this.#collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
      this.#heapBytes = getHeapStatistics().total_heap_size
    }
    addon().trimMemory()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}

/** V8 offers its collector to contexts that begin after the flag is set. */
function collector(): Collect {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}
