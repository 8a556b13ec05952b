/** What is said of a node: Connected (its agent is), Ready (all that it should do works), and what is in the way. Pure. */
import type { Detail } from '../../api/wire/generated/distribution_pb.ts'
import type { Condition } from '../fabric/world.ts'
import type { NodeState, Versions } from './fleet.ts'
import { refusedList } from './refused-list.ts'
import { dated, secondsText } from './resource-status.ts'
import { standingOf, type Clock } from './tally.ts'

export interface Failure {
  readonly kind: string
  readonly name: string
  readonly reason: string
  readonly message: string
}

/** What the controller knows by itself; small, and written when it changes. */
export interface RouterNodeState {
  readonly conditions: readonly Condition[]
  readonly revision: { readonly desired?: string; readonly applied?: string; readonly lastGood?: string }
  readonly failures: readonly Failure[]
  readonly versions: Versions
}

/** What only the agent knows; large, and asked for when it can be written. */
export interface RouterNodeDetail {
  readonly sessions: readonly {
    readonly peer: string
    readonly vrf?: string
    readonly state: string
    readonly since?: string
    readonly prefixesReceived?: number
    readonly prefixesSent?: number
    readonly bfd?: string
  }[]
  readonly vnis: readonly {
    readonly vni: number
    readonly type: string
    readonly state: string
    readonly vteps?: number
    readonly macs?: number
  }[]
}

type Said = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>

/** More than anybody reads; the condition says how many there are. */
const MOST_FAILURES = 64
const LONGEST_FAILURE = 512
const LONGEST_MESSAGE = 4096
const MOST_SESSIONS = 1024
const MOST_VNIS = 8192
/** Dates end with the year 9999: later ones are not RFC 3339. */
const LAST_MS = BigInt(Date.UTC(9999, 11, 31))

/** A change of the plan is on its way for a moment; a node that worked is not called not Ready for that. */
const ON_ITS_WAY_MS = 10_000

/** The next status, or undefined when it must stay as it is: nothing is known of the node yet. */
export function routerNodeState(
  state: NodeState,
  before: readonly Condition[],
  clock: Clock,
): RouterNodeState | undefined {
  const standing = standingOf(state, clock)
  // Before the grace is over nobody can tell an agent that is gone from one that is on its way back.
  if (standing === 'unseen') return undefined
  const failures = failuresOf(state)
  const said = [connectedOf(state), readyOf(state, standing, failures, before, clock)]
  const { desired, applied, lastGood } = state
  return {
    conditions: said.map((each) => dated(each, undefined, before, clock.nowMs)),
    revision: {
      ...(desired === undefined ? {} : { desired }),
      ...(applied === undefined ? {} : { applied }),
      ...(lastGood === undefined ? {} : { lastGood }),
    },
    failures: failures.first,
    versions: state.versions,
  }
}

function connectedOf({ connection }: NodeState): Said {
  const type = 'Connected'
  if (connection.type === 'connected')
    return { type, status: 'True', reason: 'Connected', message: 'the agent is connected' }
  const message =
    connection.type === 'away'
      ? `the agent is away since ${secondsText(connection.sinceMs)}`
      : 'the agent has not connected'
  return { type, status: 'False', reason: 'AgentDisconnected', message }
}

function readyOf(
  state: NodeState,
  standing: ReturnType<typeof standingOf>,
  failures: Failures,
  before: readonly Condition[],
  { nowMs }: Clock,
): Said {
  const type = 'Ready'
  const say = (status: Said['status'], reason: string, message: string): Said => ({ type, status, reason, message })
  if (standing === 'away')
    return say('Unknown', 'AgentDisconnected', 'nothing is known of the node while its agent is away')
  if (state.problem !== undefined) return say('False', state.problem.reason, state.problem.message)
  const { rejected, desired, conflicts } = state
  if (rejected !== undefined) return say('False', 'PlanNotTaken', `the agent did not take the plan: ${rejected}`)
  const [first] = failures.first
  if (first !== undefined) {
    const { kind, name, reason, message } = first
    const rest = failures.count > 1 ? `; and ${failures.count - 1} more` : ''
    return say('False', reason, `${kind}/${name}: ${message}${rest}`.slice(0, LONGEST_MESSAGE))
  }
  if (desired === undefined) return say('False', 'NoPlan', 'the node has no number yet, so no plan')
  if (standing === 'lagging') {
    const was = before.find((each) => each.type === type)
    if (was?.status === 'True' && nowMs - state.desiredSinceMs < ON_ITS_WAY_MS) return was
    return say('False', 'Applying', `revision ${desired} is being applied`)
  }
  const conflict = conflicts[0]
  if (conflict !== undefined)
    return say(
      'True',
      'Ready',
      `all that it should do works; its own files contradict and give way: ${conflict}`.slice(0, LONGEST_MESSAGE),
    )
  return say('True', 'Ready', 'all that it should do works')
}

/** Whether the condition was kept for a change on its way, and when that ends. */
export function onItsWayUntilMs(state: NodeState): number | undefined {
  return state.pendingSince === Infinity ? undefined : state.desiredSinceMs + ON_ITS_WAY_MS
}

interface Failures {
  readonly first: readonly Failure[]
  readonly count: number
}

/** What failed first, then what waits: as many as anybody reads, and how many there are. */
function failuresOf({ refused, unready }: NodeState): Failures {
  const { left, keys } = refusedList(refused)
  const tried = [...unready].filter(([key, { state }]) => state !== 'Applying' && !keys.has(key))
  const parts = [
    left.filter(({ sort }) => sort === 'failed').map(({ key, reason, message }) => [key, reason, message] as const),
    tried
      .filter(([, { state }]) => state !== 'Pending')
      .map(([key, { reason, message }]) => [key, reason, message] as const),
    tried
      .filter(([, { state }]) => state === 'Pending')
      .map(([key, { reason, message }]) => [key, reason, message] as const),
    left.filter(({ sort }) => sort === 'waiting').map(({ key, reason, message }) => [key, reason, message] as const),
  ]
  const first = parts.flatMap((part) => part.slice(0, MOST_FAILURES)).slice(0, MOST_FAILURES)
  const made = first.map(([key, reason, message]): Failure => {
    const slash = key.indexOf('/')
    return { kind: key.slice(0, slash), name: key.slice(slash + 1), reason, message: cut(message) }
  })
  return { first: made, count: parts.reduce((sum, part) => sum + part.length, 0) }
}

const cut = (text: string): string => (text.length <= LONGEST_FAILURE ? text : `${text.slice(0, LONGEST_FAILURE - 1)}…`)

export function routerNodeDetail({ sessions, vnis }: Detail): RouterNodeDetail {
  return {
    sessions: sessions.slice(0, MOST_SESSIONS).map((each) => ({
      peer: each.peer.slice(0, 253),
      ...(each.vrf === '' ? {} : { vrf: each.vrf.slice(0, 253) }),
      state: each.state.slice(0, 253),
      ...(each.sinceMs > 0n && each.sinceMs <= LAST_MS ? { since: secondsText(Number(each.sinceMs)) } : {}),
      ...(each.prefixesReceived === undefined ? {} : { prefixesReceived: each.prefixesReceived }),
      ...(each.prefixesSent === undefined ? {} : { prefixesSent: each.prefixesSent }),
      ...(each.bfd === '' ? {} : { bfd: each.bfd.slice(0, 253) }),
    })),
    vnis: vnis.slice(0, MOST_VNIS).map((each) => ({
      vni: each.vni,
      type: each.type === 'L3' ? 'L3' : 'L2',
      state: each.state.slice(0, 253),
      ...(each.vteps === undefined ? {} : { vteps: each.vteps }),
      ...(each.macs === undefined ? {} : { macs: each.macs }),
    })),
  }
}
