/**
 * Which objects stand. Oldest first, each is held against those accepted before it: the older one stays, only the younger
 * is refused, and when the older goes away the other is taken up by itself.
 */
import type { AnyResource } from '../kinds/kinds.ts'
import { selects, type Labels } from '../kinds/selector.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Rule, Violation } from './violation.ts'

export interface Judgement {
  readonly accepted: readonly AnyResource[]
  readonly refused: readonly Violation[]
}

/** Facts of the whole fabric: they hold wherever an object is used. */
const fabricRules: readonly Rule[] = []

/** They matter only where the objects meet on a node. */
const nodeRules: readonly Rule[] = []

/** What stands in the fabric, whichever the node. */
export function judgeFabric(snapshot: Snapshot): Judgement {
  return judge(snapshot.resources, fabricRules, () => true)
}

/** What stands on one node, of what stands in the fabric; `accepted` holds only what selects the node. */
export function judgeNode(
  fabric: readonly AnyResource[],
  node: { readonly name: string; readonly labels: Labels },
): Judgement {
  const here = fabric.filter((each) => each.kind !== 'RouterNode' && selects(each.spec.nodeSelector, node.labels))
  const judged = judge(here, nodeRules, () => true)
  return { ...judged, refused: judged.refused.map((each) => ({ ...each, node: node.name })) }
}

function judge(
  resources: readonly AnyResource[],
  rules: readonly Rule[],
  meets: (a: AnyResource, b: AnyResource) => boolean,
): Judgement {
  const accepted: AnyResource[] = []
  const refused: Violation[] = []
  for (const candidate of resources) {
    const near = accepted.filter((each) => meets(each, candidate))
    const violations = rules.flatMap((rule) => rule(candidate, near))
    if (violations.length === 0) accepted.push(candidate)
    refused.push(...violations)
  }
  return { accepted, refused }
}
