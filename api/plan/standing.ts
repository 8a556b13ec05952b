/** Which objects stand in the fabric, and which share a selector; kept up to date from snapshot to snapshot. */
import type { AnyResource } from '../kinds/kinds.ts'
import type { L2VNI } from '../kinds/l2vni.ts'
import type { L3Passthrough } from '../kinds/l3passthrough.ts'
import type { L3VNI } from '../kinds/l3vni.ts'
import type { RouterNode } from '../kinds/router-node.ts'
import type { Labels, LabelSelector } from '../kinds/selector.ts'
import type { Underlay } from '../kinds/underlay.ts'
import { fabricRules, judgeFabric, judgeNode, nodeRules } from '../rules/judge.ts'
import type { Violation } from '../rules/violation.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Steps } from './steps.ts'
import { Contest } from './contest.ts'
import { numberHolders, type NumberHolders } from './number-holders.ts'

/** What users declare: each is for the nodes that its selector selects. */
export type Declared = Exclude<AnyResource, RouterNode>

/** Objects with the same selector are on the same nodes. */
export interface Block {
  readonly id: number
  readonly selector: LabelSelector | undefined
  readonly objects: ReadonlySet<Declared>
}

/** What a new snapshot changed. */
export interface Touched {
  /** Blocks whose objects, or whose objects' standing, changed. */
  readonly blocks: ReadonlySet<Block>
  readonly opened: readonly Block[]
  readonly closed: readonly Block[]
}

/** What the rules of a node leave of the objects in contest there. */
export interface NodeJudgement {
  readonly fallen: ReadonlySet<AnyResource>
  /** `node` is the one that was asked for. */
  readonly refused: readonly Violation[]
}

/** Objects of a block that the rules of the fabric let stand. */
export interface BlockContents {
  /** Those that another object may refuse where the two meet, or that may refuse another. */
  readonly contested: readonly Declared[]
  readonly underlays: readonly Underlay[]
  readonly passthroughs: readonly L3Passthrough[]
  readonly vnis: readonly (L3VNI | L2VNI)[]
}

interface OpenBlock extends Block {
  readonly key: string
  readonly objects: Set<Declared>
}

export class Standing {
  #order = new Map<AnyResource, number>()
  #resources: readonly AnyResource[] | undefined
  readonly #inFabric = new Contest(fabricRules)
  readonly #onNode = new Contest(nodeRules)
  #contested: readonly AnyResource[] = []
  #fallen: ReadonlySet<AnyResource> = new Set()
  #refused: readonly Violation[] = []
  #holders: NumberHolders = numberHolders([])
  readonly #blocks = new Map<string, OpenBlock>()
  readonly #blockOf = new Map<AnyResource, OpenBlock>()
  /** Of the last snapshot: whether an object is in a contest depends on all others. */
  readonly #contents = new Map<Block, BlockContents>()
  #lastId = 0

  /** What the rules of the fabric refuse. The same list as long as it says the same. */
  get refused(): readonly Violation[] {
    return this.#refused
  }

  get holders(): NumberHolders {
    return this.#holders
  }

  stands(resource: AnyResource): boolean {
    return !this.#fallen.has(resource)
  }

  /** An object a step. What was not carried through leaves this of no use. */
  *update({ resources }: Snapshot): Steps<Touched> {
    const touched = { blocks: new Set<Block>(), opened: new Set<Block>(), closed: new Set<Block>() }
    if (resources === this.#resources) return { blocks: touched.blocks, opened: [], closed: [] }
    this.#contents.clear()
    const before = this.#order
    this.#order = new Map(resources.map((each, at) => [each, at]))
    this.#resources = resources
    let numbered = false
    for (const each of before.keys()) {
      if (this.#order.has(each)) continue
      this.#inFabric.remove(each)
      if (each.kind === 'RouterNode') numbered = true
      else this.#leave(each, touched)
      yield
    }
    for (const each of resources) {
      if (before.has(each)) continue
      this.#inFabric.add(each)
      if (each.kind === 'RouterNode') numbered = true
      else this.#join(each, touched)
      yield
    }
    const judged = this.#judge(resources, touched.blocks)
    if (judged || numbered) this.#holders = numberHolders(resources.filter((each) => this.stands(each)))
    for (const block of touched.closed) touched.blocks.delete(block)
    return { blocks: touched.blocks, opened: [...touched.opened], closed: [...touched.closed] }
  }

  /** What stands of a block, wherever it meets others. */
  contents(block: Block): BlockContents {
    const known = this.#contents.get(block)
    if (known) return known
    const standing = [...block.objects].filter((each) => this.stands(each))
    const made: BlockContents = {
      contested: standing.filter((each) => this.#onNode.has(each)),
      underlays: standing.filter((each) => each.kind === 'Underlay'),
      passthroughs: standing.filter((each) => each.kind === 'L3Passthrough'),
      vnis: standing.filter((each) => each.kind === 'L3VNI' || each.kind === 'L2VNI'),
    }
    this.#contents.set(block, made)
    return made
  }

  /** Judges the objects of some blocks on a node that they select. */
  judgeNode(blocks: readonly Block[], node: { readonly name: string; readonly labels: Labels }): NodeJudgement {
    const contested: AnyResource[] = blocks.flatMap((block) => this.contents(block).contested)
    if (contested.length === 0) return { fallen: new Set(), refused: [] }
    const place = (each: AnyResource): number => this.#order.get(each) ?? 0
    contested.sort((a, b) => place(a) - place(b))
    const { accepted, refused } = judgeNode(contested, node)
    const standing = new Set(accepted)
    return { fallen: new Set(contested.filter((each) => !standing.has(each))), refused }
  }

  /** Whether there was anything to judge anew. */
  #judge(resources: readonly AnyResource[], blocks: Set<Block>): boolean {
    const contested = resources.filter((each) => this.#inFabric.has(each))
    const before = this.#contested
    if (contested.length === before.length && contested.every((each, at) => each === before[at])) return false
    const { accepted, refused } = judgeFabric({ resources: contested, secrets: {} })
    const standing = new Set(accepted)
    const fallen = new Set(contested.filter((each) => !standing.has(each)))
    for (const each of [...fallen, ...this.#fallen]) {
      if (fallen.has(each) && this.#fallen.has(each)) continue
      const block = this.#blockOf.get(each)
      if (block) blocks.add(block)
    }
    this.#contested = contested
    this.#fallen = fallen
    if (JSON.stringify(refused) !== JSON.stringify(this.#refused)) this.#refused = refused
    return true
  }

  #join(each: Declared, touched: { blocks: Set<Block>; opened: Set<Block>; closed: Set<Block> }): void {
    this.#onNode.add(each)
    const key = keyOf(each.spec.nodeSelector)
    let block = this.#blocks.get(key)
    if (!block) {
      block = { id: ++this.#lastId, key, selector: each.spec.nodeSelector, objects: new Set() }
      this.#blocks.set(key, block)
      touched.opened.add(block)
    }
    touched.closed.delete(block)
    touched.blocks.add(block)
    block.objects.add(each)
    this.#blockOf.set(each, block)
  }

  #leave(each: Declared, touched: { blocks: Set<Block>; closed: Set<Block> }): void {
    this.#onNode.remove(each)
    const block = this.#blockOf.get(each)
    this.#blockOf.delete(each)
    if (!block) return
    block.objects.delete(each)
    touched.blocks.add(block)
    if (block.objects.size === 0) touched.closed.add(block)
  }

  /** Forgets blocks that nothing is in; after the nodes were taken out of them. */
  close(blocks: readonly Block[]): void {
    const gone = new Set(blocks)
    for (const [key, block] of this.#blocks) if (gone.has(block)) this.#blocks.delete(key)
  }
}

/** Selectors that say the same in other words are two blocks: that costs a little and harms nothing. */
function keyOf(selector: LabelSelector | undefined): string {
  const labels = Object.entries(selector?.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([labels, selector?.matchExpressions ?? []])
}
