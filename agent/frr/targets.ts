/** Route distinguisher and route targets. */
import type { RouteTargets } from '../../api/plan/node-plan.ts'

/**
 * Lines for what is not automatic.
 *
 * The automatic target is the low 16 bits of the ASN and the VNI; on import FRR compares only the VNI
 * (bgpd/bgp_evpn.c, mask_ecom_global_admin), so it matches across ASNs without a line of ours. A target that equals the
 * automatic one is taken for it and not kept, unless another one of its direction was entered before: it goes last, and
 * alone it is left out.
 */
export function targetLines(targets: RouteTargets, asn: number, vni: number): string[] {
  const automatic = `${asn & 0xffff}:${vni}`
  const direction = (word: string, list: readonly string[]) => {
    const others = list.filter((target) => target !== automatic)
    if (others.length === 0) return []
    return [...others, ...list.filter((target) => target === automatic)].map(
      (target) => `route-target ${word} ${target}`,
    )
  }
  return [
    ...(targets.routeDistinguisher === undefined ? [] : [`rd ${targets.routeDistinguisher}`]),
    ...direction('import', targets.importTargets),
    ...direction('export', targets.exportTargets),
  ]
}

/** Whether nothing is said, so that there is no line. */
export function isAutomatic({ routeDistinguisher, importTargets, exportTargets }: RouteTargets): boolean {
  return routeDistinguisher === undefined && importTargets.length === 0 && exportTargets.length === 0
}
