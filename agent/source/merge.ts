/** The controller's plan with what a plan of more objects has beside it. Pure. */
import type { NodePlan, VrfPlan } from '../../api/plan/node-plan.ts'
import { compare } from '../../api/snapshot/snapshot.ts'
import { keyOfRef } from '../resource-state.ts'

/**
 * `theirs` are the resources of `api` (`L3VNI/red`): their pieces stay as they came. Of `made` come those of other
 * resources; a VRF that the API's segments made gets the L3VNI that stretches it, and keeps its table.
 */
export function merged(api: NodePlan, made: NodePlan, theirs: ReadonlySet<string>): NodePlan {
  const isOwn = (each: { readonly for: VrfPlan['for'] }): boolean => !theirs.has(keyOfRef(each.for))
  const vrfs = new Map(api.vrfs.map((vrf) => [vrf.name, vrf]))
  const tables = new Set(api.vrfs.map(({ table }) => table))
  for (const vrf of made.vrfs.filter(isOwn)) {
    const known = vrfs.get(vrf.name)
    if (known !== undefined && vrf.l3vni === undefined) continue
    const table = known?.table ?? free(vrf.table, tables)
    tables.add(table)
    vrfs.set(vrf.name, { ...vrf, table })
  }
  const passthrough = api.passthrough ?? (made.passthrough && isOwn(made.passthrough) ? made.passthrough : undefined)
  return {
    ...api,
    vrfs: [...vrfs.values()].sort((a, b) => compare(a.name, b.name)),
    segments: [...api.segments, ...made.segments.filter(isOwn)].sort((a, b) => a.vni - b.vni),
    ...(passthrough === undefined ? {} : { passthrough }),
  }
}

function free(table: number, taken: ReadonlySet<number>): number {
  return taken.has(table) ? free(table + 1, taken) : table
}
