/** A plan's identity, and how it may be shown. */
import { createHash } from 'node:crypto'
import type { NodePlan } from './node-plan.ts'

/** Short hexadecimal hash of the plan: equal plans, equal revisions. Passwords count too. */
export function revisionOf(plan: NodePlan): string {
  return createHash('sha256').update(canonicalJSON(plan)).digest('hex').slice(0, 12)
}

/** JSON with sorted keys. */
function canonicalJSON(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    each !== null && typeof each === 'object' && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )
}

/** The plan without its passwords, for people. */
export function redacted(plan: NodePlan): NodePlan {
  const hide = <Session extends { readonly password?: string }>(session: Session): Session =>
    session.password === undefined ? session : { ...session, password: '<redacted>' }
  return {
    ...plan,
    ...(plan.router ? { router: { ...plan.router, neighbors: plan.router.neighbors.map(hide) } } : {}),
    vrfs: plan.vrfs.map((vrf) => (vrf.hostSession ? { ...vrf, hostSession: hide(vrf.hostSession) } : vrf)),
    ...(plan.passthrough ? { passthrough: hide(plan.passthrough) } : {}),
  }
}
