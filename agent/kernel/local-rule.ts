/**
 * The rule that looks up the router's own addresses. The kernel has it before all others (0, before the VRFs' at 1000):
 * whatever their tables say, packets of a VRF would reach the underlay's addresses and the daemons behind them. It
 * belongs after the VRFs' (Documentation/networking/vrf.rst).
 */
import type { ResourceRef } from '../../api/plan/node-plan.ts'
import { AF_INET } from './netlink/inet.ts'
import { RT_TABLE_LOCAL } from './netlink/route-message.ts'
import type { Rule } from './netlink/rule.ts'
import type { LocalRuleObject } from './objects.ts'

/** Just before the main table's. */
const AFTER_VRFS = 32765

/** Both families. */
export function localRules(ref: ResourceRef): LocalRuleObject[] {
  return ([4, 6] as const).map((family) => ({
    type: 'rule',
    namespace: 'router',
    family,
    priority: AFTER_VRFS,
    for: ref,
  }))
}

/** What the router's namespace has: of several such rules the first, which is the one that counts. */
export function observedLocalRules(rules: readonly Rule[], ref: ResourceRef): LocalRuleObject[] {
  const found = new Map<4 | 6, LocalRuleObject>()
  for (const rule of rules.filter(isLocalRule)) {
    const family = rule.family === AF_INET ? 4 : 6
    const earlier = found.get(family)
    if (earlier !== undefined && earlier.priority <= rule.priority) continue
    found.set(family, { type: 'rule', namespace: 'router', family, priority: rule.priority, for: ref })
  }
  return [...found.values()]
}

/** For all packets, not for some. */
export function isLocalRule({ table, from, to, iif, oif, mark }: Rule): boolean {
  return table === RT_TABLE_LOCAL && [from, to, iif, oif, mark].every((selector) => selector === undefined)
}
