/** Two segments on one bridge of the host would be one segment: their broadcasts would meet. */
import { only, type Rule } from './rule.ts'

export const oneSegmentPerBridge: Rule = {
  reason: 'BridgeConflict',
  claims: (resource) => {
    if (resource.kind !== 'L2VNI' || !resource.spec.hostMaster) return []
    const name = resource.spec.hostMaster.name ?? `br-hs-${resource.spec.vni}`
    return [only(name, 'spec.hostMaster.name', name)]
  },
  message: (mine, other) => `the bridge ${mine.value} is plugged into the segment of ${other.name} already`,
  remedy: 'use a bridge of its own for each L2VNI',
}
