/**
 * The routing rules that keep VRFs apart, in both families, behind the kernel's own that looks up a VRF's table (1000).
 *
 * `closing`: what is not found there is unreachable, and never looked up in the underlay's table. An unreachable default
 * route in each VRF would do the same (Documentation/networking/vrf.rst), but zebra takes it for a kernel route, and with
 * each link that comes up or goes down it marks all kernel routes of all VRFs as changed and works them off (FRR 10.3,
 * zebra/interface.c, if_up; zebra/zebra_rib.c, rib_update_route_node).
 *
 * `own`: the lookup of the router's own addresses. The kernel has it before all others (0): whatever the VRFs' tables say,
 * their packets would reach the underlay's addresses and the daemons behind them. It belongs after theirs (vrf.rst).
 */
import type { ResourceRef } from '../../api/plan/node-plan.ts'
import { AF_INET } from './netlink/inet.ts'
import { RT_TABLE_LOCAL } from './netlink/route-message.ts'
import type { Rule, RuleSpec } from './netlink/rule.ts'
import type { RuleObject } from './objects.ts'

type Purpose = RuleObject['purpose']

const PURPOSES: readonly Purpose[] = ['closing', 'own']
/** `own` is just before the main table's. */
const PRIORITIES: Readonly<Record<Purpose, number>> = { closing: 2000, own: 32765 }

export const RULES: Readonly<Record<Purpose, Pick<RuleSpec, 'action' | 'l3mdev' | 'table'>>> = {
  closing: { action: 'unreachable', l3mdev: true },
  own: { table: RT_TABLE_LOCAL },
}

/** Both families. */
export function vrfRules(ref: ResourceRef): RuleObject[] {
  return PURPOSES.flatMap((purpose) =>
    ([4, 6] as const).map((family) => ruleObject(purpose, family, PRIORITIES[purpose], ref)),
  )
}

/** What the router's namespace has: of several such rules the first, which is the one that counts. */
export function observedRules(rules: readonly Rule[], ref: ResourceRef): RuleObject[] {
  const found = new Map<string, RuleObject>()
  for (const rule of rules) {
    const purpose = purposeOf(rule)
    if (purpose === undefined) continue
    const family = rule.family === AF_INET ? 4 : 6
    const key = `${purpose} ${family}`
    const earlier = found.get(key)
    if (earlier !== undefined && earlier.priority <= rule.priority) continue
    found.set(key, ruleObject(purpose, family, rule.priority, ref))
  }
  return [...found.values()]
}

/** For all packets, not for some. */
export function purposeOf({ action, table, l3mdev, from, to, iif, oif, mark }: Rule): Purpose | undefined {
  if (![from, to, iif, oif, mark].every((selector) => selector === undefined)) return undefined
  if (l3mdev) return action === 'unreachable' ? 'closing' : undefined
  return table === RT_TABLE_LOCAL ? 'own' : undefined
}

function ruleObject(purpose: Purpose, family: 4 | 6, priority: number, ref: ResourceRef): RuleObject {
  return { type: 'rule', namespace: 'router', purpose, family, priority, for: ref }
}
