/** What admission looks at: everything that is declared, and the nodes it is for. */
import type { AnyResource } from '../../api/kinds/kinds.ts'
import type { RouterNode } from '../../api/kinds/router-node.ts'
import { selects, type Labels, type LabelSelector } from '../../api/kinds/selector.ts'
import { factsOf, type NodeFacts } from '../../api/plan/node-facts.ts'
import type { Snapshot } from '../../api/snapshot/snapshot.ts'

export interface AdmissionNode {
  readonly name: string
  readonly labels: Labels
}

/** What did not change since the last world should be the same object: that is what makes reviews cheap. */
export interface AdmissionWorld {
  /** Declared objects, RouterNodes (with the numbers of nodes), and Secrets that some object names. */
  readonly snapshot: Snapshot
  readonly nodes: readonly AdmissionNode[]
}

/** What users declare, and admission has a say in. */
export type Declared = Exclude<AnyResource, RouterNode>

const selections = new WeakMap<readonly AdmissionNode[], Map<string, ReadonlySet<AdmissionNode>>>()

/** The nodes that are selected, worked out once for equal selectors. */
export function selected(
  nodes: readonly AdmissionNode[],
  selector: LabelSelector | undefined,
): ReadonlySet<AdmissionNode> {
  const known = selections.get(nodes) ?? new Map<string, ReadonlySet<AdmissionNode>>()
  selections.set(nodes, known)
  const key = JSON.stringify(selector) ?? ''
  const before = known.get(key)
  if (before) return before
  const found = new Set(nodes.filter((each) => selects(selector, each.labels)))
  known.set(key, found)
  return found
}

const numbers = new WeakMap<Snapshot, ReadonlyMap<string, RouterNode>>()

/** A node with its numbers; undefined when it has none yet. */
export function numbered({ snapshot }: AdmissionWorld, node: AdmissionNode): NodeFacts | undefined {
  let known = numbers.get(snapshot)
  if (!known) {
    known = new Map(
      snapshot.resources.flatMap((each) => (each.kind === 'RouterNode' ? [[each.metadata.name, each]] : [])),
    )
    numbers.set(snapshot, known)
  }
  const found = known.get(node.name)
  return found && { ...factsOf(found), labels: node.labels }
}
