/** All addresses of a node follow from its index, so no two nodes share one. */
import { only, type Rule } from './rule.ts'

export const uniqueIndex: Rule = {
  reason: 'IndexConflict',
  claims: (resource) =>
    resource.kind === 'RouterNode' ? [only(String(resource.spec.index), 'spec.index', resource.spec.index)] : [],
  message: (mine, other) => `index ${mine.value} belongs to ${other.name}, and both would have the same addresses`,
  remedy: 'use an index that is free',
}
