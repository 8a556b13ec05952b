/** Keeps a RouterNode for each node that has numbers, with what follows from them, and none for nodes that are gone. */
import { setImmediate as breathe } from 'node:timers/promises'
import type { NodeFacts } from '../../api/plan/node-facts.ts'
import type { Violation } from '../../api/rules/violation.ts'
import { digestOf } from '../fabric/digest.ts'
import type { FabricStore } from '../fabric/fabric-store.ts'
import { hostNetworks, routerNodeSpec, sameNumbers, type HostNetworks } from '../fabric/router-node-spec.ts'
import { keyOf, type NodeSeen, type RouterNodeSeen, type World } from '../fabric/world.ts'
import { WriteQueue } from './write-queue.ts'

export interface RouterNodeKeeperOptions {
  readonly store: FabricStore
  readonly failed: (what: string, error: unknown) => void
}

/** What a node's spec was made of last. */
interface Made {
  readonly facts: NodeFacts
  readonly networks: string
  readonly refused: readonly Violation[]
  /** What was looked at last, so that thousands of nodes of which nothing changed cost nothing. */
  readonly node: NodeSeen
  readonly written: RouterNodeSeen | undefined
}

const RATES = { perSecond: 100, burst: 200, atOnce: 8 } as const

export class RouterNodeKeeper {
  readonly #store: FabricStore
  readonly #queue: WriteQueue
  readonly #made = new Map<string, Made>()
  #world: World | undefined
  #nodes: ReadonlyMap<string, NodeSeen> = new Map()
  #routerNodes: ReadonlyMap<string, RouterNodeSeen> = new Map()
  #networks: HostNetworks = { all: [], digest: '' }

  constructor({ store, failed }: RouterNodeKeeperOptions) {
    this.#store = store
    this.#queue = new WriteQueue({ ...RATES, failed })
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#queue.run(signal)
  }

  /** What there is to be now. Cheap when nothing changed. */
  keep(world: World, facts: readonly NodeFacts[], refusedOf: (node: string) => readonly Violation[]): void {
    if (world.snapshot !== this.#world?.snapshot) this.#networks = hostNetworks(world.snapshot)
    if (world.nodes !== this.#world?.nodes) this.#nodes = new Map(world.nodes.map((node) => [node.name, node]))
    if (world.routerNodes !== this.#world?.routerNodes)
      this.#routerNodes = new Map(world.routerNodes.map((each) => [each.name, each]))
    this.#world = world
    for (const each of facts) this.#look(each, refusedOf(each.name))
    for (const { name, uid } of world.routerNodes) if (uid !== undefined && !this.#nodes.has(name)) this.#remove(name)
    if (this.#made.size > this.#nodes.size)
      for (const name of this.#made.keys()) if (!this.#nodes.has(name)) this.#made.delete(name)
  }

  #look(facts: NodeFacts, refused: readonly Violation[]): void {
    const { name } = facts
    const node = this.#nodes.get(name)
    const written = this.#routerNodes.get(name)
    if (node === undefined) return
    const made = this.#made.get(name)
    const now = { facts, networks: this.#networks.digest, refused, node, written }
    if (made !== undefined && sameMade(made, now)) return
    this.#made.set(name, now)
    const missing = written?.uid === undefined || written.ownerUid !== node.uid
    const moved = !missing && !sameNumbers(written.resource, facts.index, facts.vteps ?? [], facts.routerID)
    if (
      !missing &&
      !moved &&
      made?.networks === now.networks &&
      made.refused === refused &&
      made.facts.labels === facts.labels
    )
      return
    this.#queue.add(`numbers of ${name}`, missing ? 0 : moved ? 1 : 2, (signal) => this.#write(node.name, signal))
  }

  async #write(name: string, signal: AbortSignal): Promise<boolean> {
    // Thousands of nodes may have nothing to write: the rest goes on in between.
    await breathe()
    const node = this.#nodes.get(name)
    const made = this.#made.get(name)
    if (node === undefined || made === undefined) return false
    const written = this.#routerNodes.get(name)
    const spec = routerNodeSpec(made.facts, this.#networks, wholly(made.refused))
    if (written?.uid !== undefined && written.ownerUid === node.uid && written.specDigest === digestOf(spec))
      return false
    await this.#store.applyRouterNode(node, spec, signal)
    return true
  }

  #remove(name: string): void {
    this.#queue.add(`removal of ${name}`, 1, async (signal) => {
      if (this.#nodes.has(name) || this.#routerNodes.get(name)?.uid === undefined) return false
      await this.#store.deleteRouterNode(name, signal)
      return true
    })
  }
}

function sameMade(a: Made, b: Made): boolean {
  return (
    a.facts === b.facts &&
    a.written === b.written &&
    a.node === b.node &&
    a.refused === b.refused &&
    a.networks === b.networks
  )
}

/** What is not in the plan at all. */
function wholly(refused: readonly Violation[]): ReadonlySet<string> {
  return new Set(refused.filter(({ partial }) => !partial).map(({ object }) => keyOf(object)))
}
