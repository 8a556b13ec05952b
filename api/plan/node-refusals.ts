/** What of a node's objects is left out of its plan, in the order of `plan`. */
import type { L2VNI } from '../kinds/l2vni.ts'
import type { L3Passthrough } from '../kinds/l3passthrough.ts'
import type { L3VNI } from '../kinds/l3vni.ts'
import type { Violation } from '../rules/violation.ts'
import type { NodeFacts } from './node-facts.ts'
import type { RouterPlan } from './node-plan.ts'
import type { OwnPart } from './own-part.ts'
import { byObject, noUnderlay, noVTEP } from './refusals.ts'
import type { Template } from './template.ts'

/**
 * Nodes that say the same share the list: without an Underlay everything waits on every node.
 *
 * @param fabric what the rules of the fabric refuse
 * @param here what the rules of a node refuse on nodes like this one
 */
export function refusalsOf(
  node: NodeFacts,
  fabric: readonly Violation[],
  here: readonly Violation[],
  own: OwnPart,
  template: Template,
  passthrough: L3Passthrough | undefined,
): readonly Violation[] {
  const common = withFabric(waitingOf(template, own.router, passthrough), fabric)
  const exhausted = template.sessions
    .filter(({ writer }) => node.index > writer.lastIndex)
    .map((each) => each.exhausted(node))
  const particular = [...here.map((each) => ({ ...each, node: node.name })), ...own.refused, ...exhausted]
  return particular.length === 0 ? common : [...common, ...particular].sort(byObject)
}

const NOTHING: readonly Violation[] = []
const lists = new WeakMap<Template, Map<string, readonly Violation[]>>()

/** What waits for another object, whichever of the template's nodes it is; sorted. */
function waitingOf(
  template: Template,
  router: RouterPlan | undefined,
  passthrough: L3Passthrough | undefined,
): readonly Violation[] {
  const way = router ? (router.vteps.length === 0 ? `no VTEP ${router.for.name}` : 'waiting') : 'no Underlay'
  const key = `${way} ${passthrough?.metadata.name ?? ''}`
  const known = lists.get(template)?.get(key)
  if (known) return known
  const { vnis, waiting } = template
  const waitsOn = waiting.flatMap((each) => each.waitsOn ?? [])
  const found = !router
    ? [...waitsOn, ...(passthrough ? [...vnis, passthrough] : vnis).map(withoutUnderlay)]
    : router.vteps.length === 0
      ? [
          ...waitsOn,
          ...vnis.map(({ kind, metadata, spec }) => noVTEP({ kind, name: metadata.name }, spec.vni, router.for)),
        ]
      : waitsOn
  const made = found.length === 0 ? NOTHING : found.sort(byObject)
  lists.set(template, (lists.get(template) ?? new Map<string, readonly Violation[]>()).set(key, made))
  return made
}

const withoutUnderlays = new WeakMap<object, Violation>()

/** One for an object, so that lists of them are compared in no time. */
function withoutUnderlay(each: L3VNI | L2VNI | L3Passthrough): Violation {
  const known = withoutUnderlays.get(each)
  if (known) return known
  const made = noUnderlay({ kind: each.kind, name: each.metadata.name })
  withoutUnderlays.set(each, made)
  return made
}

const merged = new WeakMap<readonly Violation[], WeakMap<readonly Violation[], readonly Violation[]>>()

function withFabric(waiting: readonly Violation[], fabric: readonly Violation[]): readonly Violation[] {
  if (fabric.length === 0) return waiting
  const known = merged.get(waiting)?.get(fabric)
  if (known) return known
  const made = [...fabric, ...waiting].sort(byObject)
  const ofWaiting = merged.get(waiting) ?? new WeakMap<readonly Violation[], readonly Violation[]>()
  merged.set(waiting, ofWaiting.set(fabric, made))
  return made
}
