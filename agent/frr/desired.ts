/** What FRR's configuration is to be: pure, and exactly as FRR 10.3 prints it back. */
import { fabricInstance } from './fabric.ts'
import { fabricDefinitions } from './fabric-policy.ts'
import { hostSession, isInternal } from './host-session.ts'
import { Memo } from './memo.ts'
import { segmentBlocks } from './segment.ts'
import { bfdProfiles } from './session.ts'
import { isAutomatic } from './targets.ts'
import { block, root } from './tree.ts'
import { vrfBlock, vrfInstance } from './vrf.ts'
import type { VrfInstance } from './vrf.ts'
import type { Block } from './tree.ts'
import type { NodePlan, ResourceRef, RouterPlan, SegmentPlan, VrfPlan } from '../../api/plan/node-plan.ts'

/** The whole configuration that a plan needs. Passwords are in it: show it through `redacted`. */
export function desired(plan: NodePlan): Block {
  return new DesiredTrees().of(plan)
}

/** The resources whose sessions have BFD, each once; the Underlay stands for its neighbours. */
export function usersOfBfd(plan: NodePlan): readonly ResourceRef[] {
  return [...new Set(sessionsOf(plan).flatMap(({ bfd, for: ref }) => (bfd === undefined ? [] : [ref])))]
}

/** `desired` of one plan after another: what a plan has in common with those before is made once, and is the same object. */
export class DesiredTrees {
  readonly #roots = new Memo<Block>()
  readonly #vrfs = new Memo<readonly Block[]>()
  readonly #instances = new Memo<VrfInstance | undefined>()
  readonly #segments = new Memo<readonly Block[]>()
  readonly #fabrics = new Memo<Block>()

  of(plan: NodePlan): Block {
    return this.#roots.take(plan, [], () => this.#made(plan))
  }

  #made(plan: NodePlan): Block {
    const { router } = plan
    if (router === undefined) return root([])
    // In the default VRF a host could draw the tunnels of every node to itself.
    const passthrough = plan.passthrough && hostSession(plan.passthrough, 'default', router.asn, router.vtepPools)
    const segments = byVrf(plan.segments)
    const instances = plan.vrfs.flatMap((vrf) => this.#instance(vrf, router, segments.get(vrf.name) ?? []) ?? [])
    const stripped = {
      evpn: plan.vrfs.some(({ hostSession: session }) => session && session.asn === router.asn && isInternal(session)),
      unicast: plan.passthrough !== undefined && plan.passthrough.asn === router.asn && isInternal(plan.passthrough),
    }
    const special = plan.segments.filter((segment) => !isAutomatic(segment))
    const vnis = special.flatMap((segment) =>
      this.#segments.take(segment, [router.asn], () => segmentBlocks(segment, router.asn)),
    )
    const fabric = this.#fabrics.take(router, [stripped.evpn, stripped.unicast, plan.passthrough, ...vnis], () =>
      fabricInstance(router, vnis, stripped, passthrough),
    )
    const profiles = bfdProfiles(sessionsOf(plan))
    return root([
      ...(profiles.length === 0 ? [] : [block('bfd', profiles, profiles[0]?.for)]),
      ...fabricDefinitions(router, stripped),
      ...(passthrough?.definitions ?? []),
      ...instances.flatMap(({ definitions }) => definitions),
      ...plan.vrfs.flatMap((vrf) => this.#vrfs.take(vrf, [], () => vrfBlock(vrf))),
      fabric,
      ...instances.map(({ instance }) => instance),
    ])
  }

  #instance(vrf: VrfPlan, router: RouterPlan, segments: readonly SegmentPlan[]): VrfInstance | undefined {
    return this.#instances.take(vrf, [router, ...segments], () => vrfInstance(vrf, router, segments))
  }
}

function sessionsOf({ router, vrfs, passthrough }: NodePlan) {
  if (router === undefined) return []
  return [
    ...router.neighbors.map((neighbor) => ({ ...neighbor, for: router.for })),
    ...vrfs.flatMap((vrf) => vrf.hostSession ?? []),
    ...(passthrough ? [passthrough] : []),
  ]
}

function byVrf(segments: readonly SegmentPlan[]): ReadonlyMap<string, readonly SegmentPlan[]> {
  const found = new Map<string, SegmentPlan[]>()
  for (const segment of segments) {
    if (segment.vrf === undefined) continue
    const same = found.get(segment.vrf)
    if (same === undefined) found.set(segment.vrf, [segment])
    else same.push(segment)
  }
  return found
}
