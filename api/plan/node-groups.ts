/** Nodes that are selected by the same selectors: what is decided for one of them holds for all. */
import { selects, type Labels } from '../kinds/selector.ts'
import type { Steps } from './steps.ts'
import type { Block, Touched } from './standing.ts'

export interface LabeledNode {
  readonly name: string
  readonly labels: Labels
}

export interface Group {
  readonly key: string
  /** In the order of their ids. */
  readonly blocks: readonly Block[]
  readonly nodes: ReadonlyMap<string, LabeledNode>
}

interface Member {
  readonly labels: Labels
  blocks: readonly Block[]
  group: OpenGroup
}

interface OpenGroup extends Group {
  readonly nodes: Map<string, LabeledNode>
}

export class NodeGroups {
  readonly #members = new Map<string, Member>()
  readonly #groups = new Map<string, OpenGroup>()
  readonly #nodesOf = new Map<Block, Set<string>>()
  /** Blocks by a label that they ask for, so that a selector for each node costs no more than one for all. */
  readonly #byLabel = new Map<string | undefined, Set<Block>>()

  get all(): Iterable<Group> {
    return this.#groups.values()
  }

  groupOf(node: string): Group | undefined {
    return this.#members.get(node)?.group
  }

  #nodesIn(block: Block): ReadonlySet<string> {
    return this.#nodesOf.get(block) ?? new Set()
  }

  /** A node or a block a step. What was not carried through leaves this of no use. */
  *update(nodes: readonly LabeledNode[], { opened, closed }: Pick<Touched, 'opened' | 'closed'>): Steps<void> {
    if (opened.length > 0 || closed.length > 0) yield* this.#reselect(opened, closed)
    const names = new Set<string>()
    for (const node of nodes) {
      names.add(node.name)
      const before = this.#members.get(node.name)
      if (before && sameLabels(before.labels, node.labels)) continue
      if (before) this.#leave(node.name, before)
      const blocks = this.#selecting(node.labels)
      for (const block of blocks) this.#nodesOf.get(block)?.add(node.name)
      this.#members.set(node.name, { labels: node.labels, blocks, group: this.#enter(node, blocks) })
      yield
    }
    if (names.size === this.#members.size) return
    for (const [name, member] of this.#members) {
      if (names.has(name)) continue
      this.#leave(name, member)
      this.#members.delete(name)
    }
  }

  *#reselect(opened: readonly Block[], closed: readonly Block[]): Steps<void> {
    /** Blocks that each of them gains; empty: it only loses some. */
    const moved = new Map<string, Block[]>()
    const move = (name: string): Block[] => {
      const gained = moved.get(name) ?? []
      moved.set(name, gained)
      return gained
    }
    const gone = new Set(closed)
    for (const block of closed) {
      for (const name of this.#nodesIn(block)) move(name)
      this.#nodesOf.delete(block)
      const asking = this.#byLabel.get(askedFor(block))
      asking?.delete(block)
      if (asking?.size === 0) this.#byLabel.delete(askedFor(block))
    }
    for (const block of opened) {
      const names = new Set<string>()
      for (const [name, { labels }] of this.#members) {
        if (!selects(block.selector, labels)) continue
        names.add(name)
        move(name).push(block)
      }
      this.#nodesOf.set(block, names)
      const key = askedFor(block)
      this.#byLabel.set(key, (this.#byLabel.get(key) ?? new Set()).add(block))
      yield
    }
    for (const [name, gained] of moved) {
      const member = this.#members.get(name)
      if (!member) continue
      const kept = member.blocks.filter((each) => !gone.has(each))
      const blocks = [...kept, ...gained].sort((a, b) => a.id - b.id)
      this.#exit(name, member.group)
      member.blocks = blocks
      member.group = this.#enter({ name, labels: member.labels }, blocks)
      yield
    }
  }

  #selecting(labels: Labels): readonly Block[] {
    const keys = [undefined, ...Object.entries(labels).map(labelKey)]
    return keys
      .flatMap((key) => [...(this.#byLabel.get(key) ?? [])])
      .filter(({ selector }) => selects(selector, labels))
      .sort((a, b) => a.id - b.id)
  }

  #leave(name: string, { blocks, group }: Member): void {
    for (const block of blocks) this.#nodesOf.get(block)?.delete(name)
    this.#exit(name, group)
  }

  #enter(node: LabeledNode, blocks: readonly Block[]): OpenGroup {
    const key = blocks.map(({ id }) => id).join()
    const group = this.#groups.get(key) ?? { key, blocks, nodes: new Map<string, LabeledNode>() }
    this.#groups.set(key, group)
    group.nodes.set(node.name, node)
    return group
  }

  #exit(name: string, group: OpenGroup): void {
    group.nodes.delete(name)
    if (group.nodes.size === 0) this.#groups.delete(group.key)
  }
}

const labelKey = (label: readonly [string, string]): string => label.join('=')

/** A label without which the block selects no node; undefined: there is none. */
function askedFor({ selector }: Block): string | undefined {
  const [label] = Object.entries(selector?.matchLabels ?? {})
  return label && labelKey(label)
}

function sameLabels(a: Labels, b: Labels): boolean {
  if (a === b) return true
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}
