/** A zebra that does not listen to mgmtd any more is started again, or somebody is told to do it: see `frr/zebra-deaf.ts`. */
import type { Frr } from './frr/frr.ts'
import { FrrError } from './frr/frr-error.ts'
import { isDeaf } from './frr/zebra-deaf.ts'
import type { Log } from '../log/log.ts'
import { monotonicClock, type Clock } from '../pace/clock.ts'

const LOOK_MS = 500
/** A zebra that stays deaf when it was started again is not killed again and again. */
const DEAF_MS = 600_000

export class DeafZebra {
  readonly #kill: (() => void) | undefined
  readonly #log: Log
  readonly #clock: Clock
  /** When zebra was found deaf last. */
  #deafAt = -Infinity
  /** Whether it was said that it is left alone for now. */
  #saidAgain = false
  #looking: Promise<void> | undefined

  /** `kill`: ends zebra, which then is started again; undefined when that is not the agent's to do. */
  constructor(kill: (() => void) | undefined, log: Log, clock: Clock = monotonicClock) {
    this.#kill = kill
    this.#log = log
    this.#clock = clock
  }

  /** The look that is on, if any; it never rejects. */
  get looking(): Promise<void> | undefined {
    return this.#looking
  }

  /** Looks for as long as zebra may be deaf, and does what is to be done; who wants a look meanwhile gets the same one. */
  look(frr: Pick<Frr, 'signOfDeafness'>, signal: AbortSignal): Promise<void> {
    this.#looking ??= this.#look(frr, signal).finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(frr: Pick<Frr, 'signOfDeafness'>, signal: AbortSignal): Promise<void> {
    const rest = async () => {
      await this.#clock.wait(LOOK_MS, signal)
      signal.throwIfAborted()
    }
    try {
      if (await isDeaf(() => frr.signOfDeafness(), rest)) this.#found()
    } catch (error) {
      // FRR went away: it is looked at again when it is back. Or the agent goes.
      if (error instanceof FrrError || signal.aborted) return
      this.#log.error('cannot find out whether zebra listens to mgmtd', { error })
    }
  }

  #found(): void {
    const what = 'zebra and mgmtd do not hear each other any more, so no VRF gets a VNI or loses one'
    if (this.#clock.now() - this.#deafAt < DEAF_MS) {
      if (this.#kill === undefined || this.#saidAgain) return
      this.#saidAgain = true
      this.#log.warn(
        `${what}, again within ten minutes of the last time: it is left alone for that long; restart zebra by hand`,
      )
      return
    }
    this.#deafAt = this.#clock.now()
    this.#saidAgain = false
    this.#log.warn(`${what}: ${this.#kill === undefined ? 'restart zebra' : 'it is started again'}`)
    this.#kill?.()
  }
}
