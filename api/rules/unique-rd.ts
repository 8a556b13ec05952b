/** Routes of two VPNs under one route distinguisher would replace each other (RFC 4364 section 4.1). */
import { only, type Rule } from './rule.ts'

export const uniqueRd: Rule = {
  reason: 'RouteDistinguisherConflict',
  claims: (resource) => {
    if (resource.kind !== 'L2VNI' && resource.kind !== 'L3VNI') return []
    const { routeDistinguisher } = resource.spec
    if (routeDistinguisher === undefined) return []
    const canonical = routeDistinguisher
      .split(':')
      .map((part) => part.replace(/^0+(?=[0-9]+$)/, ''))
      .join(':')
    return [only(canonical, 'spec.routeDistinguisher', routeDistinguisher)]
  },
  message: (mine, other) => `route distinguisher ${mine.value} belongs to ${other.name}`,
  remedy: 'use another one, or leave it out for an automatic one',
}
