/** The shape of the datapath as it is decided before each pass, and what is told of it. */
import type { Log } from '../log/log.ts'
import { chooseDatapath, type DatapathChoice, type DatapathMode } from './datapath.ts'
import { capabilities } from './frr/capabilities.ts'
import type { Kernel } from './kernel/kernel.ts'
import type { DatapathShape } from './kernel/objects.ts'

/** What was asked for on the command line cannot be had. */
export class DatapathError extends Error {
  override readonly name = 'DatapathError'
  readonly code = 'DATAPATH_IMPOSSIBLE'
}

export interface DatapathStatus {
  readonly shape: DatapathShape
  /** Why it is that one. */
  readonly reason: string
  /** While the node changes from one shape to the other. */
  readonly changing?: { readonly from: DatapathShape; readonly vnisLeft: number }
}

type DatapathKernel = Pick<Kernel, 'probeSingle' | 'runningShape' | 'useShape' | 'switching'>

const TELL_MS = 1000

export class DatapathKeeper {
  readonly #mode: DatapathMode
  readonly #kernel: DatapathKernel
  readonly #frr: { readonly version: string | undefined }
  readonly #log: Log
  /** Why the kernel cannot have the single shape. */
  readonly #obstacle: string | undefined
  #running: DatapathShape | undefined
  #choice: DatapathChoice | undefined

  constructor(mode: DatapathMode, kernel: DatapathKernel, frr: { readonly version: string | undefined }, log: Log) {
    this.#mode = mode
    this.#kernel = kernel
    this.#frr = frr
    this.#log = log
    this.#obstacle = mode === 'per-vni' ? undefined : kernel.probeSingle()
    this.#running = kernel.runningShape
  }

  /** Tells the kernel side which shape the next pass is for. @throws DatapathError */
  decide(): void {
    const { version } = this.#frr
    const frr = version === undefined ? undefined : { version, single: capabilities(version).singleVxlanDevice }
    const choice = chooseDatapath({ mode: this.#mode, kernel: this.#obstacle, frr, running: this.#running })
    if (choice.impossible === true) throw new DatapathError(choice.reason)
    const before = this.#choice
    this.#choice = choice
    if (choice.shape === before?.shape) return
    const { shape, reason } = choice
    this.#kernel.useShape(shape)
    this.#log.info('datapath', { shape, reason })
    if (this.#running !== undefined && this.#running !== shape) {
      this.#log.warn('the datapath changes its shape: traffic of all VNIs stops until theirs has moved', {
        from: this.#running,
        to: shape,
      })
    }
  }

  /** Tells how far a change of the shape is while `work` goes on, and when it is over. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    let told = false
    const timer = setInterval(() => {
      const { switching } = this.#kernel
      if (switching === undefined) return
      told = true
      this.#log.info('the datapath changes its shape', { to: switching.to, vnisLeft: switching.left })
    }, TELL_MS)
    try {
      return await work()
    } finally {
      clearInterval(timer)
      this.#running = this.shape
      if (told && this.#kernel.switching === undefined) this.#log.info('the datapath has its new shape')
    }
  }

  /** The shape, once it is decided. */
  get shape(): DatapathShape | undefined {
    return this.#choice?.shape
  }

  get status(): DatapathStatus | undefined {
    if (this.#choice === undefined) return undefined
    const { shape, reason } = this.#choice
    const { switching } = this.#kernel
    return {
      shape,
      reason,
      ...(switching === undefined ? {} : { changing: { from: switching.from, vnisLeft: switching.left } }),
    }
  }
}
