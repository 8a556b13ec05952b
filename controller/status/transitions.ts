/** Which changes of conditions a person must hear of, once. Pure. */
import type { Happening } from '../fabric/fabric-store.ts'
import type { Condition } from '../fabric/world.ts'

type Told = Pick<Happening, 'type' | 'reason' | 'action' | 'note'>

const find = (conditions: readonly Condition[], type: string): Condition | undefined =>
  conditions.find((each) => each.type === type)

/** Of a resource. That a change is on its way is no news; how it ended is. */
export function resourceTransitions(
  before: readonly Condition[],
  after: readonly Condition[],
  failedNodes: number,
): readonly Told[] {
  const told: Told[] = []
  const [wasAccepted, accepted] = [find(before, 'Accepted'), find(after, 'Accepted')]
  if (accepted !== undefined && (wasAccepted?.status !== accepted.status || wasAccepted.reason !== accepted.reason))
    told.push(
      accepted.status === 'True'
        ? { type: 'Normal', reason: 'Accepted', action: 'Planning', note: accepted.message }
        : { type: 'Warning', reason: 'NotAccepted', action: 'Planning', note: accepted.message },
    )
  const [wasReady, ready] = [find(before, 'Ready'), find(after, 'Ready')]
  if (ready === undefined || sameNews(wasReady, ready)) return told
  if (ready.status === 'True') told.push({ type: 'Normal', reason: 'Ready', action: 'Reporting', note: ready.message })
  else if (ready.reason !== 'NotAccepted')
    told.push({
      type: 'Warning',
      reason: failedNodes > 0 ? 'NodeFailed' : 'NotReady',
      action: 'Reporting',
      note: `${ready.reason}: ${ready.message}`,
    })
  return told
}

/**
 * Of a node, from its RouterNode. What is wrong with a resource is said of that, once, not of a thousand nodes: only what
 * is the node's `own` trouble makes an Event on it.
 */
export function nodeTransitions(
  before: readonly Condition[],
  after: readonly Condition[],
  own: boolean,
): readonly Told[] {
  const [was, ready] = [find(before, 'Ready'), find(after, 'Ready')]
  if (ready === undefined || sameNews(was, ready)) return []
  const told = (type: Told['type'], reason: string): Told => ({
    type,
    reason,
    action: 'Reporting',
    note: ready.message,
  })
  if (ready.status === 'True') return [told('Normal', 'RouterReady')]
  if (ready.reason === 'AgentDisconnected') return [told('Warning', 'AgentDisconnected')]
  if (ready.reason === 'PoolExhausted') return [told('Warning', 'PoolExhausted')]
  if (!own) return []
  return [{ ...told('Warning', 'RouterFailed'), note: `${ready.reason}: ${ready.message}` }]
}

function sameNews(before: Condition | undefined, after: Condition): boolean {
  return after.reason === 'Applying' || (before?.status === after.status && before.reason === after.reason)
}
