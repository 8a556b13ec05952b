/** A list of refusals as counting needs it; worked out once, since thousands of nodes have the same list. */
import type { Violation } from '../../api/rules/violation.ts'
import { keyOf } from '../fabric/world.ts'

interface Left {
  readonly key: string
  readonly sort: 'failed' | 'waiting'
  readonly reason: string
  readonly message: string
}

export interface RefusedList {
  /** What is not in place on the nodes that have this list, the first reason of each object. */
  readonly left: readonly Left[]
  readonly keys: ReadonlySet<string>
  /** Conflicts with other objects on a node. */
  readonly conflicts: readonly Violation[]
}

const known = new WeakMap<readonly Violation[], RefusedList>()

export function refusedList(refused: readonly Violation[]): RefusedList {
  const before = known.get(refused)
  if (before !== undefined) return before
  const left = new Map<string, Left>()
  // What the rules of the whole fabric refuse is said of the resource once, not of each node.
  const here = refused.filter(({ node, pending }) => node !== undefined || pending)
  for (const violation of here) {
    const { object, pending, reason, remedy } = violation
    const key = keyOf(object)
    if (left.has(key)) continue
    left.set(key, { key, sort: pending ? 'waiting' : 'failed', reason, message: `${sentence(violation)}; ${remedy}` })
  }
  const conflicts = here.filter((each) => !each.pending && !each.partial)
  const made = { left: [...left.values()], keys: new Set(left.keys()), conflicts }
  known.set(refused, made)
  return made
}

/** With what it is about, where it does not say so itself: `spec.vtep.cidrs 10.0.0.0/31: has no address for node n`. */
function sentence({ field, value, message }: Violation): string {
  return value === undefined || message.includes(String(value)) ? message : `${field} ${value}: ${message}`
}
