/**
 * What the agent does when its work is over for now: gives memory back. A large plan takes tens of MiB for a moment, and
 * the C library keeps them until it is asked.
 */
import { addon } from './kernel/netlink/addon.ts'

/** After the last work; more work begins it anew. */
const AFTER_MS = 2000

export class Rest implements Disposable {
  #timer: NodeJS.Timeout | undefined

  /** Work has ended. */
  begin(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => addon().trimMemory(), AFTER_MS).unref()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
