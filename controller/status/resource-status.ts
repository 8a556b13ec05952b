/**
 * What is said of a resource: Accepted (no rule stands against it), Ready (it works on every node selected), and on how
 * many nodes it does. Pure.
 */
import { nameOf, type Violation } from '../../api/rules/violation.ts'
import type { Condition, Declared, ResourceStatus } from '../fabric/world.ts'
import type { Obstacle, Tally } from './tally.ts'

type Said = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>

export interface ResourceFacts {
  readonly declared: Declared
  /** What rules say of it, from the fabric and from every node; the same of several nodes may come several times. */
  readonly violations: readonly Violation[]
  /** Absent: it could not be planned at all. */
  readonly tally: Tally | undefined
}

/** CRD limits of a condition's message. */
const LONGEST_MESSAGE = 4096

/**
 * The next status, or undefined when it must stay as it is: just after this replica began to lead, as long as agents that
 * have not come back yet could be fine.
 */
export function resourceStatus(facts: ResourceFacts, nowMs: number): ResourceStatus | undefined {
  const { declared } = facts
  const accepted = acceptedOf(facts)
  const tally = assumed(facts, accepted)
  if (tally === 'unknown') return undefined
  const nowhere = facts.violations.some((each) => stands(each) && each.node === undefined)
  const counts = nowhere && tally !== undefined ? { ...tally, ready: 0, failed: 0 } : tally
  const ready = readyOf(accepted, counts)
  const before = declared.status?.conditions ?? []
  return {
    conditions: [accepted, ready].map((said) => dated(said, declared.generation, before, nowMs)),
    ...(counts === undefined ? {} : { nodes: nodesOf(counts) }),
  }
}

/** A rule that another object stands behind, or a spec that is no good: waiting for a Secret or an address is not that. */
export function stands(violation: Violation): boolean {
  const { pending, partial, other } = violation
  return !pending && !partial && other !== undefined && other.kind !== 'RouterNode'
}

function acceptedOf({ declared, violations }: ResourceFacts): Said {
  const type = 'Accepted'
  const { checked } = declared
  if ('problem' in checked) return { type, status: 'False', reason: 'Invalid', message: short(checked.problem) }
  const standing = violations.filter(stands)
  const [first] = standing
  if (first === undefined) return { type, status: 'True', reason: 'Accepted', message: 'no rule stands against it' }
  const distinct = [...Map.groupBy(standing, conflictOf).values()]
  const message = distinct.slice(0, 3).map(conflictMessage).join('. ')
  const rest = distinct.length > 3 ? `. And ${distinct.length - 3} more` : ''
  return { type, status: 'False', reason: first.reason, message: short(message + rest) }
}

const conflictOf = ({ reason, field, other }: Violation): string => [reason, field, other && nameOf(other)].join(' ')

/** One sentence for the same conflict on several nodes. */
function conflictMessage(conflicts: readonly Violation[]): string {
  const [first] = conflicts
  if (first === undefined) return ''
  const { object, field, value, message, remedy } = first
  const nodes = conflicts.flatMap(({ node }) => node ?? []).sort()
  const where = nodes.length === 0 ? '' : ` (on ${named(nodes)})`
  return `${nameOf(object)}: ${field}${value === undefined ? '' : ` ${value}`}: ${message}${where}; ${remedy}`
}

/** What is taken for true of agents that have not come back since this replica began to lead. */
function assumed({ declared, tally }: ResourceFacts, accepted: Said): Tally | 'unknown' | undefined {
  if (tally === undefined || tally.unseen === 0) return tally
  const before = (type: string) => declared.status?.conditions.find((each) => each.type === type)
  const [wasAccepted, wasReady] = [before('Accepted'), before('Ready')]
  const same = wasReady?.observedGeneration === declared.generation && wasAccepted?.status === accepted.status
  if (!same) return { ...tally, applying: tally.applying + tally.unseen }
  if (wasReady.status === 'True') return { ...tally, ready: tally.ready + tally.unseen }
  return 'unknown'
}

function readyOf(accepted: Said, tally: Tally | undefined): Said {
  const type = 'Ready'
  const say = (status: Said['status'], reason: string, message: string): Said => ({ type, status, reason, message })
  const refused = accepted.status === 'False'
  if (tally === undefined) return say('False', 'NotAccepted', accepted.message)
  const { selected, ready, failed, waiting, applying, away, obstacles } = tally
  if (selected === 0) return say('False', 'NoNodesSelected', 'the nodeSelector selects no node')
  // Refused for the fabric, so no node has it and none says so.
  if (refused && failed === 0) return say('False', 'NotAccepted', accepted.message)
  if (ready === selected) return say('True', 'Ready', `works on ${nodeCount(selected)}`)
  const parts = [
    part(failed, 'failed', obstacles.failed),
    part(waiting, 'waiting', obstacles.waiting),
    part(applying, 'applying', obstacles.applying),
    part(away, 'unknown', obstacles.away),
  ].filter((text) => text !== '')
  const message = short(`${ready} of ${nodeCount(selected)} ready. ${parts.join('. ')}`)
  if (failed > 0) return say('False', obstacles.failed[0]?.reason ?? 'Failed', message)
  if (waiting > 0) return say('False', obstacles.waiting[0]?.reason ?? 'Waiting', message)
  if (applying > 0) return say('False', 'Applying', message)
  return say('Unknown', 'AgentDisconnected', message)
}

/** `3 failed: node1, node2: BridgeMissing: no bridge br0; and 1 more` */
function part(count: number, what: string, obstacles: readonly Obstacle[]): string {
  if (count === 0) return ''
  const alike = Map.groupBy(obstacles, ({ reason, message }) => `${reason}: ${message}`)
  const lines = [...alike].map(([cause, each]) => {
    const nodes = each.map(({ node }) => node)
    const said = cause.replace(/^(Applying|AgentDisconnected): /, '')
    return `${nodes.join(', ')}: ${said}`
  })
  const rest = count > obstacles.length ? [`and ${count - obstacles.length} more`] : []
  return lines.length === 0 ? `${count} ${what}` : `${count} ${what}: ${[...lines, ...rest].join('; ')}`
}

function nodesOf({ selected, ready, failed }: Tally): NonNullable<ResourceStatus['nodes']> {
  return { selected, ready, failed, summary: `${ready}/${selected}` }
}

/** With the time of the last change of the status, which a new reason or message is not. */
export function dated(
  said: Said,
  generation: number | undefined,
  before: readonly Condition[],
  nowMs: number,
): Condition {
  const { type, status, reason, message } = said
  const was = before.find((each) => each.type === type)
  const lastTransitionTime = was?.status === status ? was.lastTransitionTime : secondsText(nowMs)
  return {
    type,
    status,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    lastTransitionTime,
    reason,
    message,
  }
}

/** Kubernetes' metav1.Time has whole seconds. */
export function secondsText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

function named(nodes: readonly string[]): string {
  const first = nodes.slice(0, 3).join(', ')
  return nodes.length > 3 ? `${first} and ${nodes.length - 3} more nodes` : first
}

const nodeCount = (count: number): string => (count === 1 ? '1 node' : `${count} nodes`)

const short = (text: string): string =>
  text.length <= LONGEST_MESSAGE ? text : `${text.slice(0, LONGEST_MESSAGE - 1)}…`
