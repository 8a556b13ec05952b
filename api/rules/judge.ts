/**
 * Which objects stand. Oldest first, each is held against those accepted before it: the older one stays, only the younger
 * is refused, and when the older goes away the other is taken up by itself.
 */
import type { AnyResource } from '../kinds/kinds.ts'
import { canMeet, selects, type Labels, type LabelSelector } from '../kinds/selector.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { linkNames } from './link-names.ts'
import { oneL3vniPerVrf } from './one-l3vni-per-vrf.ts'
import { onePassthrough } from './one-passthrough.ts'
import { oneSegmentPerBridge } from './one-segment-per-bridge.ts'
import { oneUnderlay } from './one-underlay.ts'
import type { Claim, Rule } from './rule.ts'
import { sessionSubnets } from './session-subnets.ts'
import { uniqueAddress } from './unique-address.ts'
import { uniqueIndex } from './unique-index.ts'
import { uniqueRd } from './unique-rd.ts'
import { uniqueVni } from './unique-vni.ts'
import { nameOf, refOf, type Violation } from './violation.ts'
import { vrfSubnets } from './vrf-subnets.ts'

export interface Judgement {
  /** Oldest first. */
  readonly accepted: readonly AnyResource[]
  readonly refused: readonly Violation[]
}

/** Facts of the whole fabric: they hold wherever an object is used. */
export const fabricRules: readonly Rule[] = [
  uniqueIndex,
  uniqueAddress,
  uniqueVni,
  oneL3vniPerVrf,
  uniqueRd,
  vrfSubnets,
]

/** They matter only where the objects meet on a node. */
export const nodeRules: readonly Rule[] = [oneUnderlay, onePassthrough, sessionSubnets, linkNames, oneSegmentPerBridge]

const judged = new WeakMap<Snapshot, Judgement>()

/** What stands in the fabric, whichever the node; worked out once for a snapshot. */
export function judgeFabric(snapshot: Snapshot): Judgement {
  const before = judged.get(snapshot)
  if (before) return before
  const judgement = judge(snapshot.resources, fabricRules, () => true)
  judged.set(snapshot, judgement)
  return judgement
}

/** What stands on one node, of what stands in the fabric; only what selects the node. */
export function judgeNode(
  fabric: readonly AnyResource[],
  node: { readonly name: string; readonly labels: Labels },
): Judgement {
  const here = fabric.filter((each) => each.kind !== 'RouterNode' && selects(each.spec.nodeSelector, node.labels))
  const { accepted, refused } = judge(here, nodeRules, () => true)
  return { accepted, refused: refused.map((each) => ({ ...each, node: node.name })) }
}

/** What stands on every node that there could be, when no node is known: selectors that can meet are taken to meet. */
export function judgeAnywhere(fabric: readonly AnyResource[]): Judgement {
  return judge(fabric, nodeRules, (a, b) => canMeet(selectorOf(a), selectorOf(b)))
}

const selectorOf = (resource: AnyResource): LabelSelector | undefined =>
  resource.kind === 'RouterNode' ? undefined : resource.spec.nodeSelector

interface Taken {
  readonly by: AnyResource
  readonly claim: Claim
}

function judge(
  resources: readonly AnyResource[],
  rules: readonly Rule[],
  meets: (a: AnyResource, b: AnyResource) => boolean,
): Judgement {
  const taken = new Map(rules.map((rule) => [rule, new Map<string, Taken[]>()]))
  const accepted: AnyResource[] = []
  const refused: Violation[] = []
  for (const candidate of resources) {
    const claims = rules.flatMap((rule) => rule.claims(candidate).map((claim) => ({ rule, claim })))
    const violations = claims.flatMap(({ rule, claim }) => {
      const before = claim.needsFree
        .flatMap((key) => taken.get(rule)?.get(key) ?? [])
        .find((each) => meets(each.by, candidate))
      return before ? [violation(rule, candidate, claim, before)] : []
    })
    refused.push(...violations)
    if (violations.length > 0) continue
    accepted.push(candidate)
    for (const { rule, claim } of claims)
      for (const key of claim.takes) {
        const holders = taken.get(rule)?.get(key)
        if (holders) holders.push({ by: candidate, claim })
        else taken.get(rule)?.set(key, [{ by: candidate, claim }])
      }
  }
  return { accepted, refused }
}

function violation(rule: Rule, candidate: AnyResource, claim: Claim, before: Taken): Violation {
  const ref = refOf(before.by)
  return {
    object: refOf(candidate),
    reason: rule.reason,
    field: claim.field,
    value: claim.value,
    message: rule.message(claim, { name: nameOf(ref), ref, claim: before.claim }),
    remedy: rule.remedy,
    other: ref,
  }
}
