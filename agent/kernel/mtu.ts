/** MTUs: what the tunnel's headers leave of the underlay's. */
import type { RouterPlan } from '../../api/plan/node-plan.ts'
import type { MachineFacts } from './objects.ts'

const ETHERNET = 1500
/** Inner Ethernet 14 + VXLAN 8 + UDP 8 + outer IP 20 or 40 (RFC 7348 section 5). */
const IPV4_OVERHEAD = 50
const IPV6_OVERHEAD = 70

/** Set by the user, otherwise the smallest of the NICs, otherwise Ethernet's. */
export function underlayMTU(router: RouterPlan, facts: MachineFacts): number {
  if (router.mtu !== undefined) return router.mtu
  const known = router.interfaces.flatMap((name) => facts.nics[name]?.mtu ?? [])
  return known.length === 0 ? ETHERNET : Math.min(...known)
}

/** What fits through the tunnels, whose outer family is that of the first VTEP. */
export function overlayMTU(router: RouterPlan, facts: MachineFacts): number {
  const overhead = router.vteps[0]?.includes(':') === true ? IPV6_OVERHEAD : IPV4_OVERHEAD
  return underlayMTU(router, facts) - overhead
}
