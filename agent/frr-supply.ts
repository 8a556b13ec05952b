/**
 * Where FRR comes from. Managed: the agent starts it in the router's namespace, or adopts the one an earlier agent
 * started. External: somebody else runs it, its sockets are at a path. Either way it outlives the agent.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { DeafZebra } from './deaf-zebra.ts'
import { watchDrift } from './frr-drift.ts'
import { behind, type FrrAdapter } from './frr-port.ts'
import { diff } from './frr/diff.ts'
import { Frr } from './frr/frr.ts'
import { ManagedFrr } from './frr/managed.ts'
import { root, type Block, type Daemon } from './frr/tree.ts'
import { messageOf, type Log } from '../log/log.ts'
import type { AgentOptions } from './options.ts'

const RETRY_FIRST_MS = 200
const RETRY_LAST_MS = 5000
const REVIVE_MS = 1000
/** How long an agent that goes for good waits for FRR to answer. */
const GIVE_BACK_MS = 60_000
/** What dies before is put right by the next pass with what it should have. */
const SAVE_MS = 1000

export type SupplyOptions = Pick<AgentOptions, 'frr' | 'frrName' | 'frrSockets'> & {
  readonly netnsPath: string
}

export class FrrSupply {
  readonly #options: SupplyOptions
  readonly #log: Log
  readonly #managed: ManagedFrr | undefined
  readonly #tried = Promise.withResolvers<void>()
  #frr: Frr | undefined
  #said = ''
  readonly #deafZebra: DeafZebra
  #reviving: Promise<void> | undefined
  #unsaved: Block | undefined
  #saving: NodeJS.Timeout | undefined

  constructor(options: SupplyOptions, log: Log) {
    this.#options = options
    this.#log = log
    const { frr, frrName: name, netnsPath: netns } = options
    const managed = frr === 'managed' ? new ManagedFrr({ name, netns }) : undefined
    this.#managed = managed
    this.#deafZebra = new DeafZebra(managed && (() => managed.kill('zebra')), log)
  }

  /** Until the signal aborts: starts and connects, again and again; `changed` is called whenever FRR came or went. */
  async run(adapter: FrrAdapter, changed: () => void, signal: AbortSignal): Promise<void> {
    for (let wait = RETRY_FIRST_MS; !signal.aborted; wait = Math.min(wait * 2, RETRY_LAST_MS)) {
      try {
        await this.#start(signal)
        const frr = await this.#connect(signal, (daemon) => this.#slow(adapter, daemon))
        this.#frr = frr
        frr.on('connected', changed)
        const look = () => void this.#deafZebra.look(frr, signal)
        frr.on('connected', look)
        frr.on('doubtful', look)
        frr.on('disconnected', (daemon) => {
          this.#save()
          adapter.away(`${daemon} went away and does not answer yet`)
          this.#log.warn('FRR daemon went away', { daemon })
          changed()
          this.#reviving ??= this.#revive(frr, adapter, signal).finally(() => {
            this.#reviving = undefined
          })
        })
        adapter.connected(frr)
        this.#tried.resolve()
        changed()
        look()
        await watchDrift(frr, changed, signal)
        frr.close()
        this.#save()
        await Promise.all([this.#reviving, this.#deafZebra.looking])
        return
      } catch (error) {
        this.#tried.resolve()
        if (!signal.aborted) this.#complain(adapter, messageOf(error))
        await sleep(wait, undefined, { signal }).catch(() => undefined)
      }
    }
    this.#tried.resolve()
  }

  /**
   * Resolves when FRR answered for the first time, the first attempt has failed or takes long, or there is none because of
   * a stop.
   */
  get tried(): Promise<void> {
    return this.#tried.promise
  }

  /** Keeps the configuration that a managed daemon starts with when it has died; a moment later, for many changes once. */
  async applied(): Promise<void> {
    if (this.#managed === undefined || this.#frr === undefined) return
    this.#unsaved = this.#frr.known.tree ?? (await this.#frr.running())
    this.#saving ??= setTimeout(() => this.#save(), SAVE_MS)
  }

  #save(): void {
    clearTimeout(this.#saving)
    this.#saving = undefined
    const tree = this.#unsaved
    this.#unsaved = undefined
    try {
      if (tree !== undefined) this.#managed?.save(tree)
    } catch (error) {
      this.#log.warn('a daemon of FRR that dies now starts with an older configuration: it cannot be written', {
        error,
      })
    }
  }

  /**
   * Takes nodeleaf's configuration out of FRR when it answers, and stops a managed one. The configuration goes first:
   * neighbours of an FRR that just ends keep its routes for a graceful restart that never comes (RFC 4724, section 4.2),
   * those that are taken out are told that it is for good (RFC 8538, section 4, "hard reset").
   */
  async giveBack(): Promise<void> {
    const ended = new AbortController()
    try {
      const frr = await this.#connect(AbortSignal.any([ended.signal, AbortSignal.timeout(GIVE_BACK_MS)]))
      await frr.apply(diff(root([]), await frr.running(), frr.ownership))
      frr.close()
    } catch (error) {
      if (this.#managed === undefined) this.#log.warn('FRR keeps its configuration: it does not answer', { error })
    } finally {
      ended.abort()
    }
    await this.#managed?.stop()
  }

  async #start(signal: AbortSignal, also: readonly Daemon[] = []): Promise<void> {
    if (this.#managed === undefined) return
    const { started, adopted } = await this.#managed.start(signal, also)
    if (started.length > 0) this.#log.info('FRR started', { started: started.join(','), adopted: adopted.join(',') })
  }

  /** Daemons are started again by what supervises them; this starts supervisors that are gone too. */
  async #revive(frr: Frr, adapter: FrrAdapter, signal: AbortSignal): Promise<void> {
    while (!frr.connected && !signal.aborted) {
      try {
        // One that runs and is busy needs no help, and no questions.
        if (this.#managed?.runs === false) await this.#start(signal)
      } catch (error) {
        if (!signal.aborted) this.#complain(adapter, messageOf(error))
      }
      await sleep(REVIVE_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  async #connect(signal: AbortSignal, slow: (daemon: string) => void = () => undefined): Promise<Frr> {
    const { frr: mode, frrSockets } = this.#options
    const socketsDir = this.#managed?.socketsDir ?? frrSockets
    const start = (daemon: Daemon) => this.#start(signal, [daemon])
    const frr = await Frr.connect({ socketsDir, mode, signal, slow, start })
    this.#log.info('FRR connected', { version: frr.version })
    return frr
  }

  #slow(adapter: FrrAdapter, daemon: string): void {
    this.#tried.resolve()
    this.#complain(adapter, behind(daemon))
  }

  /** Says the same thing once. */
  #complain(adapter: FrrAdapter, message: string): void {
    adapter.away(message)
    if (message !== this.#said) this.#log.warn('no FRR yet', { why: message })
    this.#said = message
  }
}
