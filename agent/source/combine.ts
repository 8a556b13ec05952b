/**
 * The controller's plan and the node's own files as one plan. Pure.
 *
 * The API wins for each object, and the controller's pieces stay as they came. What the files declare beside it is
 * planned as if the API's objects were older ones of the same configuration: so every rule of the fabric holds between
 * the two, and what contradicts is left out, with the same words. Nothing is remembered: an object of the files is back
 * as soon as the API has none that stands in its way.
 */
import { contains, parseAddress, parsePrefix } from '../../api/address/prefix.ts'
import type { AnyResource } from '../../api/kinds/kinds.ts'
import { selects } from '../../api/kinds/selector.ts'
import type { NodePlan, RouterPlan, VrfPlan } from '../../api/plan/node-plan.ts'
import { routerMAC } from '../../api/plan/numbers.ts'
import type { NodeFacts } from '../../api/plan/node-facts.ts'
import { plan } from '../../api/plan/plan.ts'
import { nameOf, refOf, type Violation } from '../../api/rules/violation.ts'
import { snapshotOf, type Snapshot } from '../../api/snapshot/snapshot.ts'
import { keyOfRef, resourcesOf } from '../resource-state.ts'
import { difference } from './difference.ts'
import { merged } from './merge.ts'
import { standIns } from './stand-ins.ts'

/** What the files declare, and for whom. */
export interface Declared {
  readonly snapshot: Snapshot
  readonly node: NodeFacts
}

/** The addresses that the controller gave this node: they stay with it when the API's Underlay goes. */
export interface Numbers {
  readonly vteps: readonly string[]
  readonly routerID: string
}

export interface Combined {
  readonly plan: NodePlan
  readonly refused: readonly Violation[]
  /** What the files declare and the API overrules, one sentence each. */
  readonly conflicts: readonly string[]
  /** Resources of the plan that are the files': `L3VNI/red`. */
  readonly fromFiles: readonly string[]
}

export interface FromController {
  readonly plan: NodePlan
  readonly refused: readonly Violation[]
}

export function combine(api: FromController | undefined, files: Declared, numbers?: Numbers): Combined {
  if (api?.plan.router === undefined) return withoutRouter(api, files, numbers)
  const router = api.plan.router
  const theirs = new Set(resourcesOf(api.plan).keys())
  const here = files.snapshot.resources.filter((each) => isHere(each, files.node))
  const others = here.filter((each) => each.kind !== 'Underlay' && !theirs.has(keyOf(each)))
  const made = planWith(router, standIns(api.plan), others, files)
  const plans = merged(api.plan, made.plan, theirs)
  const refused = made.refused.filter(({ object }) => !theirs.has(nameOf(object)))
  const overruled = refused.filter(({ other }) => other !== undefined && theirs.has(nameOf(other)))
  return {
    plan: plans,
    refused: [...api.refused, ...refused.filter((each) => !overruled.includes(each))],
    conflicts: [
      ...here.flatMap((each) => (each.kind === 'Underlay' ? underlayConflict(router, each, files) : [])),
      ...duplicates(api.plan, router, here, theirs, files),
      ...overruled.map(({ object, message }) => `${nameOf(object)} of the files is left out: ${message} of the API`),
    ],
    fromFiles: [...resourcesOf(plans).keys()].filter((key) => !theirs.has(key)),
  }
}

/** The files alone, at the controller's addresses when it gave some: two nodes must never have one VTEP. */
function withoutRouter(api: FromController | undefined, files: Declared, numbers: Numbers | undefined): Combined {
  const made = plan(files.snapshot, files.node)
  const { plan: kept, conflicts } =
    numbers === undefined ? { plan: made.plan, conflicts: [] } : keep(made.plan, numbers)
  return {
    plan: kept,
    refused: [...(api?.refused ?? []), ...made.refused],
    conflicts,
    fromFiles: [...resourcesOf(kept).keys()],
  }
}

function keep(own: NodePlan, numbers: Numbers): { plan: NodePlan; conflicts: string[] } {
  const { router } = own
  if (router === undefined) return { plan: own, conflicts: [] }
  const given = (address: string): string => numbers.vteps.find((each) => inOnePool(router, each, address)) ?? address
  const vteps = router.vteps.map(given)
  if (vteps.every((vtep, i) => vtep === router.vteps[i])) return { plan: own, conflicts: [] }
  const moved = router.vteps.filter((vtep, i) => vtep !== vteps[i])
  const routerID = router.vteps.includes(router.routerID) ? given(router.routerID) : router.routerID
  return {
    plan: { ...own, router: { ...router, vteps, routerID, routerMAC: routerMAC(vteps[0] ?? routerID) } },
    conflicts: [
      `${keyOfRef(router.for)} of the files: ${moved.join(', ')} follows from the node's number in the files, but the ` +
        `controller gave this node ${vteps.join(', ')}, which stays: give the node the index that its RouterNode has`,
    ],
  }
}

function inOnePool(router: RouterPlan, a: string, b: string): boolean {
  const [one, other] = [parseAddress(a), parseAddress(b)]
  return router.vtepPools.some((pool) => {
    const prefix = parsePrefix(pool)
    return (
      prefix !== undefined &&
      one !== undefined &&
      other !== undefined &&
      contains(prefix, one) &&
      contains(prefix, other)
    )
  })
}

/** Older than any object of the files. */
function planWith(
  router: RouterPlan,
  standing: readonly AnyResource[],
  others: readonly AnyResource[],
  { snapshot, node }: Declared,
) {
  const secrets = Object.values(snapshot.secrets)
  const younger = others.map((each) => {
    const creationTimestamp = each.metadata.creationTimestamp ?? new Date(1).toISOString()
    return { ...each, metadata: { ...each.metadata, creationTimestamp } } as AnyResource
  })
  return plan(snapshotOf([...standing, ...younger, ...secrets]), {
    ...node,
    vteps: router.vteps,
    routerID: router.routerID,
  })
}

function underlayConflict(router: RouterPlan, own: AnyResource, files: Declared): string[] {
  const name = keyOf(own)
  const theirs = keyOfRef(router.for)
  if (name !== theirs)
    return [`${name} of the files is left out: ${theirs} of the API is on this node, and a node has one`]
  const alone = plan(files.snapshot, files.node).plan.router
  const differs = alone && keyOfRef(alone.for) === name ? difference(alone, router) : undefined
  return differs === undefined ? [] : [overruled(name, differs)]
}

/** Objects of the same kind and name that do not say the same. */
function duplicates(
  api: NodePlan,
  router: RouterPlan,
  here: readonly AnyResource[],
  theirs: ReadonlySet<string>,
  files: Declared,
): string[] {
  const twice = here.filter((each) => each.kind !== 'Underlay' && theirs.has(keyOf(each)))
  if (twice.length === 0) return []
  const alone = planWith(
    router,
    standIns({ ...api, vrfs: [], segments: [] }),
    here.filter(({ kind }) => kind !== 'Underlay'),
    files,
  )
  return twice.flatMap((each) => {
    const differs = difference(partOf(alone.plan, keyOf(each)), partOf(api, keyOf(each)))
    return differs === undefined ? [] : [overruled(keyOf(each), differs)]
  })
}

const overruled = (name: string, differs: string): string =>
  `${name} of the files is left out: the API has an object of that name that says something else (${differs})`

/** What of a plan serves one resource; tables of VRFs are nobody's wish. */
function partOf({ vrfs, segments, passthrough }: NodePlan, key: string): object {
  const serves = (each: { readonly for: VrfPlan['for'] }): boolean => keyOfRef(each.for) === key
  return {
    vrf: vrfs.filter((vrf) => serves(vrf) && vrf.l3vni !== undefined).map((vrf) => ({ ...vrf, table: 0 }))[0],
    segment: segments.find(serves),
    passthrough: passthrough && serves(passthrough) ? passthrough : undefined,
  }
}

function isHere(resource: AnyResource, node: NodeFacts): boolean {
  return resource.kind !== 'RouterNode' && selects(resource.spec.nodeSelector, node.labels)
}

const keyOf = (resource: AnyResource): string => nameOf(refOf(resource))
