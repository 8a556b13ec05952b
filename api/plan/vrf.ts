/** The VRFs of a node, from L3VNIs and L2VNIs. All but the host's own addresses is the same on every node. */
import type { L2VNI } from '../kinds/l2vni.ts'
import type { L3VNI } from '../kinds/l3vni.ts'
import { compare } from '../snapshot/snapshot.ts'
import type { HostSessionPlan, RouteTargets, VrfPlan } from './node-plan.ts'
import { vrfTables } from './numbers.ts'

/** A VRF of a node and what makes it: an L3VNI, or the L2VNI whose name comes first. */
export interface VrfSource {
  readonly name: string
  readonly table: number
  readonly by: L3VNI | L2VNI
}

/** Sorted by name. */
export function vrfSources(l3vnis: readonly L3VNI[], l2vnis: readonly L2VNI[]): readonly VrfSource[] {
  const makers = new Map<string, L3VNI | L2VNI>(l3vnis.map((each) => [each.spec.vrf, each]))
  for (const each of l2vnis) {
    if (each.spec.vrf === undefined) continue
    const maker = makers.get(each.spec.vrf)
    if (!maker || (maker.kind === 'L2VNI' && compare(each.metadata.name, maker.metadata.name) < 0))
      makers.set(each.spec.vrf, each)
  }
  return [...vrfTables([...makers.keys()])].flatMap(([name, table]) => {
    const by = makers.get(name)
    return by ? [{ name, table, by }] : []
  })
}

export function vrfPlan({ name, table, by }: VrfSource, hostSession: HostSessionPlan | undefined): VrfPlan {
  const { spec } = by
  if (by.kind === 'L2VNI') return { for: { kind: 'L2VNI', name: by.metadata.name }, name, table }
  return {
    for: { kind: 'L3VNI', name: by.metadata.name },
    name,
    table,
    l3vni: { vni: spec.vni, ...(spec.mtu === undefined ? {} : { mtu: spec.mtu }), ...marking(spec) },
    ...(hostSession ? { hostSession } : {}),
  }
}

export function marking(spec: L3VNI['spec'] | L2VNI['spec']): RouteTargets {
  return {
    ...(spec.routeDistinguisher === undefined ? {} : { routeDistinguisher: spec.routeDistinguisher }),
    importTargets: [...(spec.routeTargets?.import ?? [])].sort(),
    exportTargets: [...(spec.routeTargets?.export ?? [])].sort(),
  }
}
