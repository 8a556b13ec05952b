/** What of a node's objects is left out of its plan, in the order of `plan`. */
import type { L3Passthrough } from '../kinds/l3passthrough.ts'
import type { Violation } from '../rules/violation.ts'
import type { NodeFacts } from './node-facts.ts'
import type { OwnPart } from './own-part.ts'
import { byObject, noUnderlay, noVTEP } from './refusals.ts'
import type { Template } from './template.ts'

/**
 * @param fabric what the rules of the fabric refuse
 * @param here what the rules of a node refuse on nodes like this one
 */
export function refusalsOf(
  node: NodeFacts,
  fabric: readonly Violation[],
  here: readonly Violation[],
  own: OwnPart,
  { vnis, waiting, sessions }: Template,
  passthrough: L3Passthrough | undefined,
): readonly Violation[] {
  const { router } = own
  const refused = [...fabric, ...here.map((each) => ({ ...each, node: node.name })), ...own.refused]
  if (!router) {
    for (const each of passthrough ? [...vnis, passthrough] : vnis)
      refused.push(noUnderlay({ kind: each.kind, name: each.metadata.name }, node.name))
  } else if (router.vteps.length === 0)
    for (const { kind, metadata, spec } of vnis)
      refused.push(noVTEP({ kind, name: metadata.name }, spec.vni, router.for, node.name))
  for (const { waitsOn } of waiting) if (waitsOn) refused.push(waitsOn(node.name))
  for (const { writer, exhausted } of sessions) if (node.index > writer.lastIndex) refused.push(exhausted(node))
  return refused.sort(byObject)
}
