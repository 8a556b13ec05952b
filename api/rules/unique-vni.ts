/** A VNI means one thing in the whole fabric, for L2VNI and L3VNI together, wherever they are used. */
import { only, type Rule } from './rule.ts'

export const uniqueVni: Rule = {
  reason: 'VNIConflict',
  claims: (resource) =>
    resource.kind === 'L2VNI' || resource.kind === 'L3VNI'
      ? [only(String(resource.spec.vni), 'spec.vni', resource.spec.vni)]
      : [],
  message: (mine, other) => `VNI ${mine.value} belongs to ${other.name}, and a VNI is unique in the fabric`,
  remedy: 'use a VNI that is free',
}
