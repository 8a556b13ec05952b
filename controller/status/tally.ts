/**
 * On how many nodes each resource works, and what is in the way elsewhere. Pure.
 *
 * Nodes in the same condition are counted together, selector by selector, and so are nodes on which the same is refused;
 * only what a node named as not Ready is looked at one by one. So a round costs nodes x selectors + resources + exceptions,
 * never nodes x resources.
 */
import { selects, type Labels, type LabelSelector } from '../../api/kinds/selector.ts'
import type { Violation } from '../../api/rules/violation.ts'
import type { NodeState } from './fleet.ts'
import { refusedList, type RefusedList } from './refused-list.ts'
import { secondsText } from './resource-status.ts'

export interface Counted {
  readonly key: string
  readonly selector: LabelSelector | undefined
  /** Epoch in which the resource, or what stands of it, changed last. */
  readonly changedAt: number
}

export interface CountedNode {
  readonly name: string
  readonly labels: Labels
  readonly state: NodeState
}

export interface Obstacle {
  readonly node: string
  readonly reason: string
  readonly message: string
}

export interface Tally {
  readonly selected: number
  readonly ready: number
  /** Tried and failed, or refused for a reason that will not go away by waiting. */
  readonly failed: number
  /** Of those, nodes that are broken as a whole. */
  readonly broken: number
  /** Waits for something that somebody has to do: a Secret, an Underlay. */
  readonly waiting: number
  /** The node has not been through it yet. */
  readonly applying: number
  /** Nothing is known, because the agent has been away for longer than the grace. */
  readonly away: number
  /** Served before this replica began to lead, and expected to come back with what they have. */
  readonly unseen: number
  /** The first few of each sort. */
  readonly obstacles: Readonly<Record<'failed' | 'waiting' | 'applying' | 'away', readonly Obstacle[]>>
}

export interface Clock {
  readonly nowMs: number
  /** How long an agent may be away. */
  readonly graceMs: number
}

/** As many names as a message can bear. */
const NAMED = 3
/** Nodes looked at for those names. */
const GLANCE = 64

type Standing = 'whole' | 'lagging' | 'broken' | 'away' | 'unseen'

/** How the node as a whole stands. */
export function standingOf(state: NodeState, { nowMs, graceMs }: Clock): Standing {
  const { connection, expected, knownSinceMs, unready, rejected, pendingSince } = state
  // Until the grace is over nobody can tell an agent that is gone from one that is on its way.
  const early = nowMs - knownSinceMs < graceMs
  if (connection.type === 'unseen') return early ? (expected ? 'unseen' : 'lagging') : 'away'
  if (connection.type === 'away' && nowMs - connection.sinceMs >= graceMs) return 'away'
  if (!state.told) return early && expected ? 'unseen' : 'lagging'
  if (state.problem !== undefined) return 'broken'
  if (pendingSince === Infinity) return 'whole'
  // What it is behind with cannot be known before it has been up to date once: it worked, and goes on.
  const silent = rejected === undefined && unready.size === 0
  return pendingSince === 0 && early && expected && silent ? 'unseen' : 'lagging'
}

interface Group {
  readonly member: Uint8Array
  selected: number
  whole: number
  unseen: number
  readonly away: Obstacle[]
  awayCount: number
  readonly broken: Obstacle[]
  brokenCount: number
  /** First epoch that each lagging node has not been through, ascending. */
  readonly lagging: { readonly since: number; readonly state: NodeState }[]
}

type Counts = { -readonly [Key in keyof Omit<Tally, 'obstacles'>]: number } & {
  readonly obstacles: Record<'failed' | 'waiting' | 'applying' | 'away', Obstacle[]>
}

export function tally(
  resources: readonly Counted[],
  nodes: readonly CountedNode[],
  clock: Clock,
): ReadonlyMap<string, Tally> {
  const standings = nodes.map(({ state }) => standingOf(state, clock))
  const groups = new Map<string, Group>()
  const tallies = new Map<string, Counts>()
  const known = new Map<string, Known>()
  for (const counted of resources) {
    const by = JSON.stringify(counted.selector ?? {})
    let group = groups.get(by)
    if (group === undefined) groups.set(by, (group = groupOf(counted.selector, nodes, standings)))
    const counts = countsOf(group, counted.changedAt)
    tallies.set(counted.key, counts)
    known.set(counted.key, { changedAt: counted.changedAt, group, counts })
  }
  for (const [refused, sharers] of sharersOf(nodes, standings)) take(refusedList(refused), sharers, known)
  for (const [at, { name, state }] of nodes.entries()) {
    const standing = standings[at]
    if ((standing !== 'whole' && standing !== 'lagging') || state.unready.size === 0) continue
    const { keys } = refusedList(state.refused)
    for (const [key, { state: how, reason, message }] of state.unready) {
      const found = known.get(key)
      if (found === undefined || found.group.member[at] !== 1 || keys.has(key)) continue
      const sort = sortOf(how)
      // A lagging node that has not been through the resource's last change is counted as applying already.
      if (standing === 'lagging' && found.changedAt >= state.pendingSince) found.counts.applying--
      else found.counts.ready--
      found.counts[sort]++
      note(found.counts.obstacles[sort], { node: name, reason, message })
    }
  }
  for (const [key, each] of known) if (each.counts.applying > 0) nameApplying(key, each)
  return tallies
}

/** Those that nothing else was said of. A glance: who is not found is counted. */
function nameApplying(key: string, { changedAt, group, counts }: Known): void {
  const behind = countUpTo(group.lagging, changedAt)
  for (const { state } of group.lagging.slice(0, Math.min(behind, GLANCE)))
    if (!state.unready.has(key) && !refusedList(state.refused).keys.has(key))
      note(counts.obstacles.applying, { node: state.name, reason: 'Applying', message: laggingMessage(state) })
}

interface Known {
  readonly changedAt: number
  readonly group: Group
  readonly counts: Counts
}

interface Sharer {
  readonly at: number
  readonly name: string
  /** First epoch that it has not been through. */
  readonly since: number
}

/** Nodes that work, by the list of what is refused there. */
function sharersOf(
  nodes: readonly CountedNode[],
  standings: readonly Standing[],
): ReadonlyMap<readonly Violation[], readonly Sharer[]> {
  const sharers = new Map<readonly Violation[], Sharer[]>()
  for (const [at, { name, state }] of nodes.entries()) {
    const standing = standings[at]
    if ((standing !== 'whole' && standing !== 'lagging') || state.refused.length === 0) continue
    const sharer = { at, name, since: standing === 'whole' ? Infinity : state.pendingSince }
    const list = sharers.get(state.refused)
    if (list === undefined) sharers.set(state.refused, [sharer])
    else list.push(sharer)
  }
  return sharers
}

/** Takes what is refused from what is counted as ready or applying: for all nodes of the list at once. */
function take({ left }: RefusedList, sharers: readonly Sharer[], known: ReadonlyMap<string, Known>): void {
  const inGroup = new Map<Group, readonly Sharer[]>()
  for (const { key, sort, reason, message } of left) {
    const found = known.get(key)
    if (found === undefined) continue
    let selected = inGroup.get(found.group)
    if (selected === undefined) {
      selected = sharers.filter(({ at }) => found.group.member[at] === 1).sort((a, b) => a.since - b.since)
      inGroup.set(found.group, selected)
    }
    const behind = countUpTo(selected, found.changedAt)
    found.counts.applying -= behind
    found.counts.ready -= selected.length - behind
    found.counts[sort] += selected.length
    for (const { name } of selected.slice(0, NAMED)) note(found.counts.obstacles[sort], { node: name, reason, message })
  }
}

function sortOf(state: string): 'failed' | 'waiting' | 'applying' {
  if (state === 'Failed' || state === 'Unsupported') return 'failed'
  return state === 'Pending' ? 'waiting' : 'applying'
}

function groupOf(
  selector: LabelSelector | undefined,
  nodes: readonly CountedNode[],
  standings: readonly Standing[],
): Group {
  const group: Group = {
    member: new Uint8Array(nodes.length),
    selected: 0,
    whole: 0,
    unseen: 0,
    away: [],
    awayCount: 0,
    broken: [],
    brokenCount: 0,
    lagging: [],
  }
  for (const [at, { name, labels, state }] of nodes.entries()) {
    if (!selects(selector, labels)) continue
    group.member[at] = 1
    group.selected++
    const standing = standings[at]
    if (standing === 'whole') group.whole++
    else if (standing === 'unseen') group.unseen++
    else if (standing === 'lagging') group.lagging.push({ since: state.pendingSince, state })
    else if (standing === 'away') {
      group.awayCount++
      note(group.away, { node: name, reason: 'AgentDisconnected', message: awayMessage(state) })
    } else {
      group.brokenCount++
      const { reason = 'Failed', message = '' } = state.problem ?? {}
      note(group.broken, { node: name, reason, message })
    }
  }
  group.lagging.sort((a, b) => a.since - b.since)
  return group
}

function countsOf(group: Group, changedAt: number): Counts {
  const behind = countUpTo(group.lagging, changedAt)
  return {
    selected: group.selected,
    ready: group.whole + group.lagging.length - behind,
    failed: group.brokenCount,
    broken: group.brokenCount,
    waiting: 0,
    applying: behind,
    away: group.awayCount,
    unseen: group.unseen,
    obstacles: {
      failed: [...group.broken],
      waiting: [],
      applying: [],
      away: group.away,
    },
  }
}

/** How many of the ascending list are at most `epoch`. */
function countUpTo(lagging: readonly { readonly since: number }[], epoch: number): number {
  let [low, high] = [0, lagging.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((lagging[middle]?.since ?? Infinity) <= epoch) low = middle + 1
    else high = middle
  }
  return low
}

function note(obstacles: Obstacle[], obstacle: Obstacle): void {
  if (obstacles.length < NAMED) obstacles.push(obstacle)
}

function laggingMessage({ rejected, connection, desired }: NodeState): string {
  if (connection.type === 'unseen') return 'the agent has not connected yet'
  if (desired === undefined) return 'its numbers could not be saved yet'
  return rejected === undefined ? 'is being applied' : `the agent did not take the plan: ${rejected}`
}

function awayMessage({ connection }: NodeState): string {
  return connection.type === 'away'
    ? `the agent is away since ${secondsText(connection.sinceMs)}`
    : 'the agent has not connected'
}
