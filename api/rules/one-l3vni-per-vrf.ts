/** A VRF is one routing domain in the whole fabric, so it has one L3VNI. */
import { only, type Rule } from './rule.ts'

export const oneL3vniPerVrf: Rule = {
  reason: 'VRFConflict',
  claims: (resource) => (resource.kind === 'L3VNI' ? [only(resource.spec.vrf, 'spec.vrf', resource.spec.vrf)] : []),
  message: (mine, other) => `VRF ${mine.value} belongs to ${other.name}, and a VRF has one L3VNI`,
  remedy: 'use another VRF, or remove one of the two L3VNIs',
}
