/**
 * When each resource, or what stands of it on the nodes, changed last, in epochs of planning. A node that has been
 * through everything up to that epoch has been through the resource.
 */
import { selects, type Labels, type LabelSelector } from '../../api/kinds/selector.ts'
import type { Violation } from '../../api/rules/violation.ts'
import { keyOf, type Declared, type NodeSeen } from '../fabric/world.ts'

interface Known {
  readonly uid: string
  readonly generation: number
  changedAt: number
}

export class Epochs {
  readonly #resources = new Map<string, Known>()
  #nodes: readonly NodeSeen[] = []
  #labels: ReadonlyMap<string, Labels> = new Map()
  #epoch = 0

  get epoch(): number {
    return this.#epoch
  }

  changedAt(key: string): number {
    return this.#resources.get(key)?.changedAt ?? this.#epoch
  }

  /** A new round of planning over these. Returns its epoch. */
  advance(declared: readonly Declared[], nodes: readonly NodeSeen[]): number {
    this.#epoch++
    const there = new Set<string>()
    for (const { ref, uid, generation } of declared) {
      const key = keyOf(ref)
      there.add(key)
      const known = this.#resources.get(key)
      if (known?.uid !== uid || known.generation !== generation)
        this.#resources.set(key, { uid, generation, changedAt: this.#epoch })
    }
    for (const key of this.#resources.keys()) if (!there.has(key)) this.#resources.delete(key)
    this.#relabelled(declared, nodes)
    return this.#epoch
  }

  /** What is no longer refused somewhere comes into the plan there now. */
  refusedBefore(before: readonly Violation[], after: readonly Violation[]): void {
    if (before.length === 0 || before === after) return
    const still = new Set(after.map(({ object }) => keyOf(object)))
    for (const { object } of before) if (!still.has(keyOf(object))) this.#touch(keyOf(object))
  }

  /** Nodes that were there before and are selected only now. A new node has been through nothing anyway. */
  #relabelled(declared: readonly Declared[], nodes: readonly NodeSeen[]): void {
    if (nodes === this.#nodes) return
    const moved = nodes.flatMap(({ name, labels }) => {
      const before = this.#labels.get(name)
      return before === undefined || before === labels ? [] : [{ before, labels }]
    })
    this.#nodes = nodes
    this.#labels = new Map(nodes.map(({ name, labels }) => [name, labels]))
    if (moved.length === 0) return
    for (const { ref, checked } of declared) {
      if ('problem' in checked) continue
      const selector: LabelSelector | undefined = checked.resource.spec.nodeSelector
      if (moved.some(({ before, labels }) => selects(selector, labels) && !selects(selector, before)))
        this.#touch(keyOf(ref))
    }
  }

  #touch(key: string): void {
    const known = this.#resources.get(key)
    if (known !== undefined) known.changedAt = this.#epoch
  }
}
