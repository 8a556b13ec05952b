/** How a plan may be shown. */
import type { NodePlan } from './node-plan.ts'

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
