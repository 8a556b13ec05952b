/** What must be known of a node to plan for it. */
import type { RouterNode } from '../kinds/router-node.ts'
import type { Labels } from '../kinds/selector.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

export interface NodeFacts {
  readonly name: string
  /** From 0; no two nodes share one. */
  readonly index: number
  readonly labels: Labels
  /** VTEP addresses recorded for the node, at most one a family: they stay. Absent: they follow from the index. */
  readonly vteps?: readonly string[] | undefined
  /** The router ID recorded for the node. */
  readonly routerID?: string | undefined
  /** Pools in which every address belongs to somebody else: nothing of them follows from the index. */
  readonly exhausted?: readonly string[] | undefined
}

/** A node as its RouterNode says. */
export function factsOf({ metadata, spec }: RouterNode): NodeFacts {
  const { vteps, routerID } = spec.addresses ?? {}
  return { name: metadata.name, index: spec.index, labels: metadata.labels ?? {}, vteps, routerID }
}

/** The addresses that a RouterNode records for the node, as long as it is the node of that index. */
export function recordedAddresses(
  { resources }: Snapshot,
  name: string,
  index: number,
): Pick<NodeFacts, 'vteps' | 'routerID'> {
  const found = resources.find((each) => each.kind === 'RouterNode' && each.metadata.name === name)
  if (found?.kind !== 'RouterNode' || found.spec.index !== index) return {}
  const { vteps, routerID } = found.spec.addresses ?? {}
  return { vteps, routerID }
}
