/** Plans of all nodes of the fabric, kept up to date. */
import type { ObjectRef } from '../kinds/kinds.ts'
import { selects } from '../kinds/selector.ts'
import { nameOf, type Violation } from '../rules/violation.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { NodeFacts } from './node-facts.ts'
import { piecesOf } from './pieces.ts'
import { plan } from './plan.ts'
import type { Piece, PlanChange, PlanVersion } from './plan-version.ts'
import { revisionOfPieces } from './revision.ts'

/** What is wrong with an object. */
export interface Finding {
  /** As said of the first of `nodes`. */
  readonly violation: Violation
  /** Where; empty: in the whole fabric. */
  readonly nodes: readonly string[]
}

/** Where an object is used. */
export interface Placement {
  /** Names of the nodes that its selector selects. */
  readonly selected: readonly string[]
  readonly findings: readonly Finding[]
}

export class FabricPlanner {
  #versions = new Map<string, SimpleVersion>()
  #facts: readonly NodeFacts[] = []
  #snapshot: Snapshot = { resources: [], secrets: {} }

  /** Plans anew what differs. Returns the names of the nodes whose revision changed, those that came and those that went. */
  update(snapshot: Snapshot, facts: readonly NodeFacts[]): readonly string[] {
    const before = this.#versions
    this.#versions = new Map(facts.map((each) => [each.name, new SimpleVersion(snapshot, each)]))
    this.#facts = facts
    this.#snapshot = snapshot
    const names = new Set([...before.keys(), ...this.#versions.keys()])
    return [...names].filter((name) => before.get(name)?.revision !== this.#versions.get(name)?.revision)
  }

  /** Undefined: the node is not known. */
  current(node: string): PlanVersion | undefined {
    return this.#versions.get(node)
  }

  placement(object: ObjectRef): Placement {
    const resource = this.#snapshot.resources.find(
      (each) => each.kind === object.kind && each.metadata.name === object.name,
    )
    if (!resource || resource.kind === 'RouterNode') return { selected: [], findings: [] }
    const found = new Map<string, { violation: Violation; nodes: string[] }>()
    for (const version of this.#versions.values())
      for (const violation of version.refused) {
        if (nameOf(violation.object) !== nameOf(object)) continue
        const key = [violation.reason, violation.field, violation.other && nameOf(violation.other)].join(' ')
        const finding = found.get(key) ?? { violation, nodes: [] }
        found.set(key, finding)
        if (violation.node !== undefined) finding.nodes.push(version.node)
      }
    return {
      selected: this.#facts.filter(({ labels }) => selects(resource.spec.nodeSelector, labels)).map(({ name }) => name),
      findings: [...found.values()],
    }
  }
}

class SimpleVersion implements PlanVersion {
  readonly node: string
  readonly revision: string
  readonly refused: readonly Violation[]
  readonly #pieces: ReadonlyMap<string, Piece>

  constructor(snapshot: Snapshot, facts: NodeFacts) {
    const planned = plan(snapshot, facts)
    const pieces = piecesOf(planned.plan)
    this.node = facts.name
    this.refused = planned.refused
    this.revision = revisionOfPieces(facts.name, pieces)
    this.#pieces = new Map(pieces.map((piece) => [piece.key, piece]))
  }

  changesSince(before?: PlanVersion): PlanChange {
    const old = before instanceof SimpleVersion ? before.#pieces : new Map<string, Piece>()
    const same = (piece: Piece): boolean =>
      Buffer.compare(old.get(piece.key)?.json ?? new Uint8Array(), piece.json) === 0
    return {
      set: [...this.#pieces.values()].filter((piece) => !same(piece)),
      remove: [...old.keys()].filter((key) => !this.#pieces.has(key)),
    }
  }
}
