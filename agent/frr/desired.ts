/** What FRR's configuration is to be: pure, and exactly as FRR 10.3 prints it back. */
import { fabricInstance } from './fabric.ts'
import { fabricDefinitions } from './fabric-policy.ts'
import { hostSession, isInternal } from './host-session.ts'
import { bfdProfiles } from './session.ts'
import { block, root } from './tree.ts'
import { vrfBlock, vrfInstance } from './vrf.ts'
import type { Block } from './tree.ts'
import type { NodePlan } from '../../api/plan/node-plan.ts'

/** The whole configuration that a plan needs. Passwords are in it: show it through `redacted`. */
export function desired(plan: NodePlan): Block {
  const { router } = plan
  if (router === undefined) return root([])
  // In the default VRF a host could draw the tunnels of every node to itself.
  const passthrough = plan.passthrough && hostSession(plan.passthrough, 'default', router.asn, router.vtepPools)
  const instances = plan.vrfs.flatMap(
    (vrf) =>
      vrfInstance(
        vrf,
        router,
        plan.segments.filter((segment) => segment.vrf === vrf.name),
      ) ?? [],
  )
  const stripped = {
    evpn: plan.vrfs.some(({ hostSession: session }) => session && session.asn === router.asn && isInternal(session)),
    unicast: plan.passthrough !== undefined && plan.passthrough.asn === router.asn && isInternal(plan.passthrough),
  }
  const profiles = bfdProfiles([
    ...router.neighbors.map((neighbor) => ({ ...neighbor, for: router.for })),
    ...plan.vrfs.flatMap((vrf) => vrf.hostSession ?? []),
    ...(plan.passthrough ? [plan.passthrough] : []),
  ])
  return root([
    ...(profiles.length === 0 ? [] : [block('bfd', profiles, profiles[0]?.for)]),
    ...fabricDefinitions(router, stripped),
    ...(passthrough?.definitions ?? []),
    ...instances.flatMap(({ definitions }) => definitions),
    ...plan.vrfs.flatMap(vrfBlock),
    fabricInstance(router, plan.segments, stripped, passthrough),
    ...instances.map(({ instance }) => instance),
  ])
}
