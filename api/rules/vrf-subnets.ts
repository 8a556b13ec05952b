/** The subnets of one VRF (gateways of its segments, the network of its host session) do not overlap, in the whole fabric. */
import type { Rule } from './rule.ts'
import { network, networkText, sessionNetworks } from './subnet.ts'

export const vrfSubnets: Rule = {
  reason: 'SubnetOverlap',
  claims: (resource) => {
    if (resource.kind === 'L3VNI') return sessionNetworks(resource.spec.vrf, resource.spec.hostSession)
    if (resource.kind !== 'L2VNI' || resource.spec.vrf === undefined) return []
    const { vrf, gatewayIPs } = resource.spec
    return gatewayIPs.flatMap((gateway, i) => network(vrf, `spec.gatewayIPs[${i}]`, gateway))
  },
  message: (mine, other) =>
    `${networkText(String(mine.value))} overlaps ${networkText(String(other.claim.value))} of ${other.name} in the same VRF`,
  remedy: 'use a subnet that is free in the VRF, or another VRF',
}
