/**
 * From everything that users declared to what one node does: pure and deterministic.
 *
 * First the rules of the fabric decide which objects stand, then those of the node; what is left is laid out with the
 * node's numbers. Whatever is refused takes nothing else with it. For thousands of nodes at once there is FabricPlanner,
 * which comes to the same plans.
 */
import type { L2VNI } from '../kinds/l2vni.ts'
import type { L3VNI } from '../kinds/l3vni.ts'
import { judgeFabric, judgeNode } from '../rules/judge.ts'
import type { Violation } from '../rules/violation.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { hostAddresses, sessionDraft, sessionExhausted } from './host-session.ts'
import type { NodeFacts } from './node-facts.ts'
import type { HostSessionPlan, NodePlan, ResourceRef, VrfPlan } from './node-plan.ts'
import { numberHolders } from './number-holders.ts'
import { plannedPassthrough } from './passthrough.ts'
import { byObject, noUnderlay, noVTEP } from './refusals.ts'
import { plannedRouter } from './router.ts'
import { segmentPlan } from './segment.ts'
import type { Secrets } from './session.ts'
import { vrfPlan, vrfSources, type VrfSource } from './vrf.ts'

export interface Planned {
  readonly plan: NodePlan
  /** Sorted by object; what of it is in the plan nevertheless is marked `partial`. */
  readonly refused: readonly Violation[]
}

export function plan(snapshot: Snapshot, node: NodeFacts): Planned {
  const { secrets } = snapshot
  const fabric = judgeFabric(snapshot)
  const here = judgeNode(fabric.accepted, node)
  const underlay = here.accepted.find((each) => each.kind === 'Underlay')
  const overlay = here.accepted.filter((each) => each.kind !== 'Underlay' && each.kind !== 'RouterNode')
  const own = underlay && plannedRouter(underlay, node, secrets, numberHolders(fabric.accepted))
  const refused = [...fabric.refused, ...here.refused, ...(own?.refused ?? [])]
  const router = own?.router
  if (!router) {
    refused.push(...overlay.map((each) => noUnderlay(overlayRef(each))))
    return { plan: { node: node.name, vrfs: [], segments: [] }, refused: refused.sort(byObject) }
  }
  const vnis = overlay.filter((each) => each.kind !== 'L3Passthrough')
  const tunnels = router.vteps.length > 0
  if (!tunnels) refused.push(...vnis.map((each) => noVTEP(overlayRef(each), each.spec.vni, router.for)))
  const l3vnis = tunnels ? vnis.filter((each) => each.kind === 'L3VNI') : []
  const l2vnis = tunnels ? vnis.filter((each) => each.kind === 'L2VNI') : []
  const vrfs = vrfSources(l3vnis, l2vnis).map((source) => nodeVrf(source, router.asn, node, secrets, refused))
  const passthrough = overlay.find((each) => each.kind === 'L3Passthrough')
  const { session, refused: without } = passthrough
    ? plannedPassthrough(passthrough, router, node, secrets)
    : { refused: [] }
  const segments = l2vnis.map(segmentPlan).sort((a, b) => a.vni - b.vni)
  return {
    plan: { node: node.name, router, vrfs, segments, ...(session ? { passthrough: session } : {}) },
    refused: [...refused, ...without].sort(byObject),
  }
}

/** The VRF with its session, or without when that has to wait; then the reason is noted and the rest goes on. */
function nodeVrf(source: VrfSource, asn: number, node: NodeFacts, secrets: Secrets, refused: Violation[]): VrfPlan {
  const { by } = source
  return vrfPlan(source, by.kind === 'L3VNI' ? nodeSession(by, asn, node, secrets, refused) : undefined)
}

function nodeSession(
  l3: L3VNI,
  asn: number,
  node: NodeFacts,
  secrets: Secrets,
  refused: Violation[],
): HostSessionPlan | undefined {
  const { hostSession } = l3.spec
  if (!hostSession) return undefined
  const draft = sessionDraft(l3, hostSession, asn, secrets)
  const addresses = hostAddresses(hostSession, node.index)
  if ('waitsOn' in draft) refused.push(draft.waitsOn)
  else if (!addresses) refused.push(sessionExhausted(l3, hostSession, node))
  else return draft.planWith(addresses)
  return undefined
}

const overlayRef = (each: L3VNI | L2VNI | { kind: 'L3Passthrough'; metadata: { name: string } }): ResourceRef => ({
  kind: each.kind,
  name: each.metadata.name,
})
