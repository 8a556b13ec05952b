/** The default VRF has one session with the host, so a node has one L3Passthrough at most. */
import { only, type Rule } from './rule.ts'

export const onePassthrough: Rule = {
  reason: 'PassthroughConflict',
  claims: (resource) =>
    resource.kind === 'L3Passthrough' ? [only('passthrough', 'spec.nodeSelector', resource.metadata.name)] : [],
  message: (_, other) => `${other.name} selects the node already, and a node has one L3Passthrough`,
  remedy: 'give the two node selectors that never meet, or remove one of them',
}
