/** A node has one router, so one Underlay at most. */
import { only, type Rule } from './rule.ts'

export const oneUnderlay: Rule = {
  reason: 'UnderlayConflict',
  claims: (resource) =>
    resource.kind === 'Underlay' ? [only('underlay', 'spec.nodeSelector', resource.metadata.name)] : [],
  message: (_, other) => `${other.name} selects the node already, and a node has one Underlay`,
  remedy: 'give the two node selectors that never meet, or remove one of them',
}
