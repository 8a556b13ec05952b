/**
 * The configuration text of FRR's daemons as a tree, read over and over: what a daemon printed before in the same words
 * is not parsed again and yields the same objects.
 */
import { ours } from './owned.ts'
import { parse, sections } from './text.ts'
import { root } from './tree.ts'
import type { Block, Daemon } from './tree.ts'

export interface RunningOptions {
  readonly mode: 'managed' | 'external'
  /** A daemon may print a line of another one (bgpd prints empty VRF blocks): only its owner's counts. */
  readonly owns: (daemon: Daemon, line: string) => boolean
}

interface Printed {
  readonly text: string
  readonly sections: ReadonlyMap<string, readonly Block[]>
  readonly blocks: readonly Block[]
}

export class RunningConfig {
  readonly #options: RunningOptions
  readonly #printed = new Map<Daemon, Printed>()

  constructor(options: RunningOptions) {
    this.#options = options
  }

  /** Whether anything was taken before. */
  get began(): boolean {
    return this.#printed.size > 0
  }

  /** Whether this is what was taken last. */
  isLast(texts: ReadonlyMap<Daemon, string>): boolean {
    return [...texts].every(([daemon, text]) => this.#printed.get(daemon)?.text === text)
  }

  /** The part that is nodeleaf's. */
  take(texts: ReadonlyMap<Daemon, string>): Block {
    return root([...texts].flatMap(([daemon, text]) => this.#blocks(daemon, text)))
  }

  #blocks(daemon: Daemon, text: string): readonly Block[] {
    const before = this.#printed.get(daemon)
    if (before?.text === text) return before.blocks
    const parts = new Map<string, readonly Block[]>()
    for (const section of sections(text)) {
      parts.set(section, before?.sections.get(section) ?? this.#own(daemon, section))
    }
    const all = [...parts.values()].flat()
    // A block that occurs twice is one, which only the whole text tells.
    const blocks = new Set(all.map(({ line }) => line)).size === all.length ? all : this.#own(daemon, text)
    this.#printed.set(daemon, { text, sections: parts, blocks })
    return blocks
  }

  #own(daemon: Daemon, text: string): readonly Block[] {
    const { mode, owns } = this.#options
    const tree = parse(text)
    return ours(root(tree.body.filter(({ line }) => owns(daemon, line))), mode).body
  }
}
