/** Which conflicts each object is in, gathered from the fabric and from every node. Pure. */
import type { Violation } from '../../api/rules/violation.ts'
import { keyOf } from '../fabric/world.ts'
import type { NodeState } from './fleet.ts'
import { refusedList } from './refused-list.ts'

/** Enough to name a few nodes; a conflict on thousands of nodes is the same one. */
const MOST = 100

/** By `Kind/name`; at most a hundred for each. */
export function violationsByObject(
  fabric: readonly Violation[],
  nodes: readonly { readonly state: NodeState }[],
): ReadonlyMap<string, readonly Violation[]> {
  const found = new Map<string, Violation[]>()
  const take = (violation: Violation): void => {
    const key = keyOf(violation.object)
    const list = found.get(key)
    if (list === undefined) found.set(key, [violation])
    else if (list.length < MOST) list.push(violation)
  }
  for (const violation of fabric) take(violation)
  for (const { state } of nodes)
    if (state.refused.length > 0) for (const violation of refusedList(state.refused).conflicts) take(violation)
  return found
}
