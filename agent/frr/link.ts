/** The connections to one daemon. */
import { FrrError } from './frr-error.ts'
import { Vty } from './vty.ts'

export interface LinkOptions {
  /** Gives up. */
  readonly signal: AbortSignal
  /** The daemon took the connections and has not answered for a while. */
  readonly slow?: (() => void) | undefined
  /** @default 5000 */
  readonly slowMs?: number
  /** See `Vty.open`. */
  readonly answerTimeoutMs?: number | undefined
  /** One connection for both. */
  readonly single?: boolean
}

/**
 * Two connections to a daemon: a `show` need not wait for, or stand in, a configuration session. To mgmtd it is one: the
 * end of a connection spoils what another one commits (see `zebra-deaf.ts`), and who is killed ends all at once. mgmtd
 * does not see the end of the one that commits before the commit is done.
 */
export class Link {
  readonly config: Vty
  readonly show: Vty
  #last: Promise<unknown> = Promise.resolve()

  private constructor(config: Vty, show: Vty) {
    this.config = config
    this.show = show
  }

  /**
   * Connects once, and waits for the answer: a daemon that is behind gets no further connections, which it would have to
   * take up as well. @throws FrrError `busy`, `unreachable` or `disconnected`
   */
  static async open(
    path: string,
    { signal, slow, slowMs = 5000, answerTimeoutMs, single = false }: LinkOptions,
  ): Promise<Link> {
    const open = () => Vty.open(path, answerTimeoutMs)
    const opened = await Promise.allSettled(single ? [open()] : [open(), open()])
    const vtys = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    const close = () => vtys.forEach((vty) => vty.close())
    const timer = setTimeout(() => slow?.(), slowMs)
    signal.addEventListener('abort', close)
    try {
      const failed = opened.find((each) => each.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      if (signal.aborted) throw new FrrError('busy', `FRR did not answer on ${path} in time`)
      await Promise.all(vtys.map((vty) => vty.sendPatiently('enable')))
    } catch (error) {
      close()
      throw error
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', close)
    }
    const [config, show = config] = vtys as [Vty, Vty?]
    return new Link(config, show)
  }

  /** Whether the daemon runs and owes answers that nobody waits for any more. */
  get late(): boolean {
    return this.config.late || this.show.late
  }

  /** Runs what uses the connection; one thing after the other where there is only one. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.config !== this.show) return work()
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  whenClosed(listener: () => void): void {
    this.config.whenClosed(listener)
    this.show.whenClosed(listener)
  }

  /** Called when the daemon has answered all that it was late with. */
  whenCaughtUp(listener: () => void): void {
    const both = () => {
      if (this.late) return
      // The session that was given up may stand anywhere.
      this.config.send('end').catch(() => undefined)
      listener()
    }
    this.config.whenCaughtUp(both)
    this.show.whenCaughtUp(both)
  }

  close(): void {
    this.config.close()
    this.show.close()
  }
}
