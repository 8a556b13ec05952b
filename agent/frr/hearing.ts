/** Whether zebra hears what mgmtd takes, asked of both over their vty sockets; `zebra-deaf.ts` knows what the answers mean. */
import { setTimeout as sleep } from 'node:timers/promises'
import { FrrError } from './frr-error.ts'
import { isDeaf, signOf, waitsFor, type Told } from './zebra-deaf.ts'
import type { Daemon } from './tree.ts'

/** Between two looks at whether zebra has mgmtd's configuration; zebra tries to connect to mgmtd every 250 ms. */
const REST_MS = 200

export class Hearing {
  readonly #show: (daemon: Daemon, line: string) => Promise<string>
  readonly #late: () => Daemon | undefined

  /** `late`: the daemon that owes answers for so long that it is not asked. */
  constructor(show: (daemon: Daemon, line: string) => Promise<string>, late: () => Daemon | undefined) {
    this.#show = show
    this.#late = late
  }

  /** What says that zebra does not listen to mgmtd though it answers here; undefined: nothing. */
  async signOfDeafness(): Promise<string | undefined> {
    const polled = await this.#show('zebra', 'show event poll')
    try {
      return signOf({ polled, ...(await this.#mgmtd()) })
    } catch (error) {
      // A commit that zebra does not hear of keeps mgmtd from answering.
      if (this.#late() !== 'mgmtd') throw error
      return signOf({ polled, transactions: '', backends: '' })
    }
  }

  /**
   * Until mgmtd waits for nothing from zebra, or zebra answers and takes nothing. mgmtd takes lines before zebra has
   * connected to it, and then brings zebra its configuration as it is: of what was taken out meanwhile zebra never hears.
   */
  async whole(signal: AbortSignal): Promise<void> {
    const look = async () => {
      const waits = waitsFor(await this.#mgmtd())
      if (waits !== undefined) await this.#show('zebra', 'show evpn json')
      return waits
    }
    try {
      await isDeaf(look, () => sleep(REST_MS, undefined, { signal }).catch(() => undefined))
    } catch (error) {
      // One that is late is told by the next that asks it.
      if (!(error instanceof FrrError && error.code === 'busy')) throw error
    }
  }

  async #mgmtd(): Promise<Omit<Told, 'polled'>> {
    const transactions = await this.#show('mgmtd', 'show mgmt transaction all')
    return { transactions, backends: await this.#show('mgmtd', 'show mgmt backend-adapter all') }
  }
}
