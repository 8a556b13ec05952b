/** The plan's source at work: reads whenever the files change, takes what the controller says, hands on what is wanted. */
import { hostname } from 'node:os'
import { hostAddresses } from './host-addresses.ts'
import type { Log } from '../../log/log.ts'
import type { AgentOptions } from '../options.ts'
import { Wake } from '../../pace/wake.ts'
import type { Planned } from './planned.ts'
import type { ControllerPlan } from './plan-updates.ts'
import { PlanSource, type SourceReading } from './plan-source.ts'
import { watchDirectory } from '../../files/watch-directory.ts'

const fileReader = () => import('./file-reader.ts')

const RESCAN_MS = 5000
const UNSETTLED_MS = 500

export class FollowedSource {
  readonly #source: PlanSource
  readonly #options: AgentOptions
  readonly #log: Log
  readonly #wanted: (planned: Planned, changed: boolean) => void
  /** Editors and copies touch a file several times: read when they have finished. */
  readonly #changes = new Wake({ quietMs: 200, latestMs: 2000 })
  #told = new Set<string>()
  /** Of the plan that was handed on last, and of the controller's in it. */
  #revision = ''
  #reading: SourceReading

  private constructor(
    options: AgentOptions,
    log: Log,
    wanted: (planned: Planned, changed: boolean) => void,
    source: PlanSource,
  ) {
    this.#options = options
    this.#log = log
    this.#wanted = wanted
    this.#source = source
    this.#reading = this.#heard(source.read(Date.now()))
  }

  /** Reads at once. `wanted` is called after each reading that knows a plan, also when it is the same. */
  static async open(
    options: AgentOptions,
    log: Log,
    wanted: (planned: Planned, changed: boolean) => void,
  ): Promise<FollowedSource> {
    const { configDir, stateDir, node, nodeFile, index } = options
    const sourceOptions = {
      configDir,
      stateDir,
      ...(node === undefined ? {} : { node }),
      ...(nodeFile === undefined ? {} : { nodeFile }),
      ...(index === undefined ? {} : { index }),
      hostName: hostname(),
      addressesOf: hostAddresses,
      controller: options.controller !== undefined,
    }
    const without = new PlanSource(sourceOptions)
    const source = without.lacksReader ? new PlanSource({ ...sourceOptions, reader: await fileReader() }) : without
    return new FollowedSource(options, log, wanted, source)
  }

  /** The last reading. */
  get reading(): SourceReading {
    return this.#reading
  }

  /** Reads the files now. */
  async read(): Promise<void> {
    const reading = this.#source.read(Date.now())
    if (!this.#source.lacksReader) {
      this.#heard(reading)
      return
    }
    this.#source.use(await fileReader())
    this.#heard(this.#source.read(Date.now()))
  }

  #heard(reading: SourceReading): SourceReading {
    this.#reading = reading
    this.#tell(reading)
    const { planned } = reading
    if (planned !== undefined) {
      const { revision, from, refused, controllerRevision: controller } = planned
      const known = `${revision} ${controller ?? ''}`
      const changed = known !== this.#revision
      if (changed) this.#log.info('plan', { revision, from, controller, files: reading.files, refused: refused.length })
      this.#revision = known
      this.#wanted(planned, changed)
    }
    if (reading.unsettled) setTimeout(() => this.#changes.request('unsettled'), UNSETTLED_MS).unref()
    return reading
  }

  /** The controller's plan that is on the disk. */
  get controllerPlan(): ControllerPlan | undefined {
    return this.#source.controllerPlan
  }

  /** Keeps the controller's next plan on the disk, then hands it on. @throws LastGoodError when it cannot be kept */
  take(next: ControllerPlan): void {
    this.#source.take(next)
    this.#heard(this.#source.readAgain(Date.now()))
  }

  /** Before the end of the agent: one whole plan is on the disk. */
  settle(): void {
    try {
      this.#source.settle()
    } catch (error) {
      this.#log.warn('the last good plan stays in parts', { error })
    }
  }

  /** Reads after every change until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { configDir, nodeFile } = this.#options
    const watching = { rescanMs: RESCAN_MS, signal, ...(nodeFile === undefined ? {} : { file: nodeFile }) }
    watchDirectory(configDir, watching, () => this.#changes.request('changed'))
    while ((await this.#changes.next(signal)).length > 0) await this.read()
  }

  /** Each problem once, when it comes and when it goes. */
  #tell(reading: SourceReading): void {
    const refused = (reading.planned?.refused ?? []).map(
      ({ object, reason, message, remedy }) => `${object.kind}/${object.name}: ${reason}: ${message}; ${remedy}`,
    )
    const now = new Set([...reading.problems.map(({ where, message }) => `${where}: ${message}`), ...refused])
    for (const problem of now) if (!this.#told.has(problem)) this.#log.warn('configuration problem', { problem })
    for (const problem of this.#told) if (!now.has(problem)) this.#log.info('configuration problem gone', { problem })
    this.#told = now
  }
}
