/** FRR's configuration as it is read now and then, and whether that is what it is known to be. */
import { diff } from './diff.ts'
import { KnownTree } from './known-tree.ts'
import { RunningConfig } from './running-config.ts'
import type { Ownership } from './daemons.ts'
import type { Block, Daemon } from './tree.ts'

export interface WatchOptions {
  readonly mode: 'managed' | 'external'
  readonly ownership: Ownership
  /** What each daemon prints as its configuration, or a digest of that. */
  readonly print: (how: 'send' | 'digest') => Promise<ReadonlyMap<Daemon, string>>
}

export class ConfigWatch {
  readonly known = new KnownTree()
  /** How many calls are entering commands. */
  entering = 0
  readonly #options: WatchOptions
  #read: RunningConfig
  /** What was printed at the last look, in short. */
  #digest = ''
  /** The known tree that was last found to be what runs. */
  #compared: Block | undefined

  constructor(options: WatchOptions) {
    this.#options = options
    this.#read = this.#nothing()
  }

  /** Another FRR, maybe of another release, prints from now on. */
  reset(): void {
    this.known.forget()
    this.#read = this.#nothing()
    this.#digest = ''
  }

  async running(): Promise<Block> {
    return this.#read.take(await this.#options.print('send'))
  }

  /** See `Frr.drifted`. */
  async drifted(): Promise<boolean> {
    const { tree, age } = this.known
    const before = this.#read
    const sure = tree === undefined || tree === this.#compared
    // What is printed is thousands of lines, and nearly always what it was: only when not it is worth reading.
    const digest = [...(await this.#options.print('digest')).values()].join()
    const same = digest === this.#digest
    this.#digest = digest
    if (same && sure) return false
    const began = before.began
    const texts = await this.#options.print('send')
    if (this.entering > 0 || this.known.age !== age || this.#read !== before) {
      // The next look tells.
      this.#digest = ''
      return false
    }
    if (before.isLast(texts) && sure) return false
    const found = before.take(texts)
    const other = tree === undefined ? began : diff(tree, found, this.#options.ownership).length > 0
    if (other) this.known.forget()
    else this.#compared = tree
    return other
  }

  #nothing(): RunningConfig {
    const { mode, ownership } = this.#options
    return new RunningConfig({ mode, owns: (daemon, line) => ownership(line).includes(daemon) })
  }
}
