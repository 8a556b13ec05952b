/** The session between host and fabric without encapsulation. */
import { contains, parseAddress, parsePrefix } from '../address/prefix.ts'
import type { L3Passthrough } from '../kinds/l3passthrough.ts'
import { nameOf, refOf, type Violation } from '../rules/violation.ts'
import { hostAddresses, sessionDraft, sessionExhausted } from './host-session.ts'
import type { NodeFacts } from './node-facts.ts'
import type { HostSessionPlan, RouterPlan } from './node-plan.ts'
import type { Secrets } from './session.ts'

export interface PlannedPassthrough {
  readonly session?: HostSessionPlan
  readonly refused: readonly Violation[]
}

export function plannedPassthrough(
  passthrough: L3Passthrough,
  router: RouterPlan,
  node: NodeFacts,
  secrets: Secrets,
): PlannedPassthrough {
  const refused = meetingUnderlay(passthrough, router, node)
  if (refused.length > 0) return { refused }
  const { hostSession } = passthrough.spec
  const draft = sessionDraft(passthrough, hostSession, router.asn, secrets)
  if ('waitsOn' in draft) return { refused: [draft.waitsOn] }
  const addresses = hostAddresses(hostSession, node.index)
  if (!addresses) return { refused: [sessionExhausted(passthrough, hostSession, node)] }
  return { session: draft.planWith(addresses), refused: [] }
}

/** Passthrough shares the default VRF with the underlay, so its network must not contain an address of that. */
function meetingUnderlay(passthrough: L3Passthrough, router: RouterPlan, node: NodeFacts): readonly Violation[] {
  const peers = router.neighbors.flatMap(({ peer }) => (peer.type === 'address' ? peer.address : []))
  const { ipv4, ipv6 } = passthrough.spec.hostSession.localCIDR
  const fields = [
    { field: 'spec.hostSession.localCIDR.ipv4', cidr: ipv4 },
    { field: 'spec.hostSession.localCIDR.ipv6', cidr: ipv6 },
  ]
  return fields.flatMap(({ field, cidr }): readonly Violation[] => {
    const prefix = parsePrefix(cidr ?? '')
    const inside = [...router.vteps, ...peers].find((text) => {
      const address = parseAddress(text)
      return prefix && address && contains(prefix, address)
    })
    if (cidr === undefined || inside === undefined) return []
    return [
      {
        object: refOf(passthrough),
        reason: 'SubnetOverlap',
        field,
        value: cidr,
        message: `${cidr} contains ${inside} of ${nameOf(router.for)}, and both are in the default VRF`,
        remedy: 'use a network that the underlay does not use',
        other: router.for,
        node: node.name,
      },
    ]
  })
}
