/** The networks of a node's host sessions do not overlap, whichever their VRFs: they meet in the host's routing table. */
import type { Rule } from './rule.ts'
import { sessionNetworks } from './subnet.ts'

export const sessionSubnets: Rule = {
  reason: 'SubnetOverlap',
  claims: (resource) =>
    resource.kind === 'L3VNI' || resource.kind === 'L3Passthrough'
      ? sessionNetworks('host', resource.spec.hostSession)
      : [],
  message: (mine, other) =>
    `${mine.value} overlaps ${other.claim.value} of ${other.name}; both are routes in the host of the node`,
  remedy: 'use a network that is free in the host',
}
