/**
 * Keeps work in the kernel from running away from FRR, which hears of it in events. zebra takes those up in a loop that
 * answers nobody as long as more of them come (FRR 10.3, zebra/zebra_rib.c, rib_process_dplane_results), and ends when the
 * kernel has no room left for them (zebra/kernel_netlink.c, netlink_recv_msg). A question that is answered tells that it is
 * not behind.
 */

/** Work that is over by then needs no question. */
const FIRST_MS = 500
const NEXT_MS = 100
/** How far FRR may be behind. */
const LEAD_MS = 5000

export class Lead {
  readonly #ask: () => Promise<unknown>
  readonly #signal: AbortSignal
  readonly #now: () => number
  #due: number
  #owed: { readonly since: number; readonly answer: Promise<void> } | undefined

  /** `ask`: something that costs FRR little. What goes wrong with it is told by those who need the answer. */
  constructor(ask: () => Promise<unknown>, signal: AbortSignal, now: () => number = () => performance.now()) {
    this.#ask = ask
    this.#signal = signal
    this.#now = now
    this.#due = now() + FIRST_MS
  }

  /** To be called after each part of the work, which goes on at once, or when FRR has caught up. */
  keep(): Promise<void> | undefined {
    const now = this.#now()
    if (this.#owed !== undefined) return now - this.#owed.since < LEAD_MS ? undefined : this.#until(this.#owed.answer)
    if (now < this.#due) return undefined
    const answered = () => {
      this.#owed = undefined
      this.#due = this.#now() + NEXT_MS
    }
    this.#owed = { since: now, answer: this.#ask().then(answered, answered) }
    return undefined
  }

  async #until(answer: Promise<void>): Promise<void> {
    const stopped = Promise.withResolvers<void>()
    const stop = () => stopped.resolve()
    this.#signal.addEventListener('abort', stop)
    if (this.#signal.aborted) stop()
    await Promise.race([answer, stopped.promise])
    this.#signal.removeEventListener('abort', stop)
  }
}
