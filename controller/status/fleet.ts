/**
 * What the agents said, node by node, held against what they were told. Nothing here grows with nodes times resources:
 * of a node that works only its revision is kept, of one that does not what it named.
 *
 * Time is counted in epochs: each round of planning that changed anything is one. A node is `settled` up to an epoch
 * when it has tried everything planned before it; so a change to one resource says nothing about the others.
 */
import type { Violation } from '../../api/rules/violation.ts'
import type { Hello, Report } from '../../api/wire/generated/distribution_pb.ts'
import { keyOf } from '../fabric/world.ts'

export interface Cause {
  /** Pending, Applying, Failed or Unsupported. */
  readonly state: string
  /** One CamelCase word. */
  readonly reason: string
  readonly message: string
}

export interface Versions {
  readonly agent?: string
  readonly frr?: string
  readonly kernel?: string
  readonly datapath?: string
}

export type Connection =
  | { readonly type: 'connected'; readonly sinceMs: number }
  | { readonly type: 'away'; readonly sinceMs: number }
  /** Not since this replica leads, or since the node is there. */
  | { readonly type: 'unseen'; readonly sinceMs: number }

export interface NodeState {
  readonly name: string
  readonly connection: Connection
  /** Revision that it should have. */
  readonly desired?: string
  /** When `desired` became so. */
  readonly desiredSinceMs: number
  readonly refused: readonly Violation[]
  /** First epoch that it has not been through; Infinity: it has been through all. */
  readonly pendingSince: number
  /** It said how it fares since this replica leads. */
  readonly told: boolean
  /** Since when this replica knows of the node. */
  readonly knownSinceMs: number
  /** It was served before this replica began to lead: it will come back with what it has. */
  readonly expected: boolean
  readonly applied?: string
  readonly lastGood?: string
  /** Why it did not take an update. */
  readonly rejected?: string
  readonly problem?: { readonly reason: string; readonly message: string }
  /** By `Kind/name`. */
  readonly unready: ReadonlyMap<string, Cause>
  readonly conflicts: readonly string[]
  readonly versions: Versions
  /** Of the newest Detail that there is. */
  readonly detailVersion: bigint
}

interface Round {
  readonly revision: string
  readonly epoch: number
}

type Mutable = { -readonly [Key in keyof NodeState]: NodeState[Key] } & {
  /** Revisions that it was told and has not been through, oldest first. */
  rounds: Round[]
  settledRevision: string | undefined
}

/** More than an agent is ever behind: updates melt into one while it is slow. */
const MOST_ROUNDS = 64

/** Of what does not work on one node; the rest is counted only. */
const LONGEST_MESSAGE = 1024
/** The API server takes no longer ones. */
const LONGEST_WORD = 253

const NOTHING: ReadonlyMap<string, Cause> = new Map()

export class Fleet {
  readonly #nodes = new Map<string, Mutable>()
  /** Thousands of nodes say the same few sentences. */
  readonly #causes = new Map<string, Cause>()

  get(node: string): NodeState | undefined {
    return this.#nodes.get(node)
  }

  /** What is known of the node; one that nothing is known of is `unseen`. */
  of(node: string, nowMs: number): NodeState {
    return this.#of(node, nowMs)
  }

  /** The node was served before. To be said before anything else is said of it. */
  expect(node: string, nowMs: number): void {
    const state = this.#of(node, nowMs)
    state.expected = state.connection.type === 'unseen' || state.lastGood !== undefined
  }

  /** The node's plan became this at `epoch`. */
  planned(node: string, revision: string, refused: readonly Violation[], epoch: number, nowMs: number): void {
    const state = this.#of(node, nowMs)
    state.refused = refused
    if (state.desired === revision) return
    state.desired = revision
    state.desiredSinceMs = nowMs
    state.rounds.push({ revision, epoch })
    if (state.rounds.length > MOST_ROUNDS) state.rounds.shift()
    if (state.pendingSince === Infinity) state.pendingSince = epoch
    settle(state)
  }

  /** Nothing can be planned for the node at `epoch`: it keeps what it has, which is not what it should have. */
  unplanned(node: string, epoch: number): void {
    const state = this.#nodes.get(node)
    if (state === undefined) return
    delete state.desired
    if (state.pendingSince === Infinity) state.pendingSince = epoch
  }

  forget(node: string): void {
    this.#nodes.delete(node)
  }

  connected(node: string, { revision, versions }: Hello, nowMs: number): void {
    const state = this.#of(node, nowMs)
    state.connection = { type: 'connected', sinceMs: nowMs }
    state.versions = versionsOf(versions)
    optional(state, 'lastGood', revision)
    state.detailVersion = 0n
    delete state.rejected
    const { settledRevision, desired, rounds } = state
    if ([settledRevision, desired, ...rounds.map((each) => each.revision)].includes(revision)) return
    // What it was never told here: where it is cannot be known. It was set up anew when it has nothing, or had something else.
    state.pendingSince = 0
    if (revision === '' || settledRevision !== undefined) state.expected = false
  }

  disconnected(node: string, nowMs: number): void {
    const state = this.#nodes.get(node)
    if (state?.connection.type === 'connected') state.connection = { type: 'away', sinceMs: nowMs }
  }

  acknowledged(node: string, revision: string, error: string | undefined): void {
    const state = this.#nodes.get(node)
    if (state === undefined) return
    if (error === undefined) delete state.rejected
    else state.rejected = error.slice(0, LONGEST_MESSAGE)
    optional(state, 'lastGood', revision)
    settle(state)
  }

  reported(node: string, report: Report): void {
    const state = this.#nodes.get(node)
    if (state === undefined) return
    state.told = true
    optional(state, 'applied', report.applied)
    optional(state, 'lastGood', report.lastGood)
    if (report.problemReason === '') delete state.problem
    else
      state.problem = { reason: wordOf(report.problemReason), message: report.problemMessage.slice(0, LONGEST_MESSAGE) }
    state.unready = this.#unready(report)
    state.conflicts = report.conflicts.slice(0, 8).map((each) => each.slice(0, LONGEST_MESSAGE))
    if (report.versions) state.versions = versionsOf(report.versions)
    state.detailVersion = report.detailVersion
    state.settledRevision = report.settled ? report.lastGood : undefined
    settle(state)
  }

  /** While it is not settled, what waits its turn is what was not tried yet: `pendingSince` says that in one number. */
  #unready(report: Report): ReadonlyMap<string, Cause> {
    const named = report.settled
      ? report.unready
      : report.unready.filter(({ state }) => state === 'Failed' || state === 'Unsupported')
    if (named.length === 0) return NOTHING
    return new Map(named.map((each) => [keyOf(each), this.#cause(each)]))
  }

  #cause({ state, reason, message }: { state: string; reason: string; message: string }): Cause {
    const cause = { state, reason: wordOf(reason || state), message: message.slice(0, LONGEST_MESSAGE) }
    const key = `${state}\0${cause.reason}\0${cause.message}`
    const known = this.#causes.get(key)
    if (known !== undefined) return known
    if (this.#causes.size > 10_000) this.#causes.clear()
    this.#causes.set(key, cause)
    return cause
  }

  #of(node: string, nowMs: number): Mutable {
    const known = this.#nodes.get(node)
    if (known !== undefined) return known
    const made: Mutable = {
      name: node,
      connection: { type: 'unseen', sinceMs: nowMs },
      knownSinceMs: nowMs,
      expected: false,
      desiredSinceMs: 0,
      refused: [],
      pendingSince: 0,
      told: false,
      unready: NOTHING,
      conflicts: [],
      versions: {},
      detailVersion: 0n,
      rounds: [],
      settledRevision: undefined,
    }
    this.#nodes.set(node, made)
    return made
  }
}

/** Takes up to where the node has been from what it said last and what is on its disk. */
function settle(state: Mutable): void {
  const { settledRevision, rounds } = state
  if (settledRevision === undefined || settledRevision !== state.lastGood) return
  if (settledRevision === state.desired) {
    state.pendingSince = Infinity
    state.rounds = []
    return
  }
  const at = rounds.findLastIndex(({ revision }) => revision === settledRevision)
  const next = rounds[at + 1]
  if (at < 0 || next === undefined) return
  state.rounds = rounds.slice(at + 1)
  state.pendingSince = next.epoch
}

function optional(state: Mutable, key: 'applied' | 'lastGood', value: string): void {
  if (value === '') delete state[key]
  else state[key] = value.slice(0, LONGEST_WORD)
}

function versionsOf(versions: Hello['versions']): Versions {
  const { agent = '', frr = '', kernel = '', datapath = '' } = versions ?? {}
  return {
    ...(agent === '' ? {} : { agent: agent.slice(0, LONGEST_WORD) }),
    ...(frr === '' ? {} : { frr: frr.slice(0, LONGEST_WORD) }),
    ...(kernel === '' ? {} : { kernel: kernel.slice(0, LONGEST_WORD) }),
    ...(datapath === '' ? {} : { datapath: datapath.slice(0, LONGEST_WORD) }),
  }
}

/** The API server takes one word as a reason. */
function wordOf(text: string): string {
  return /^[A-Za-z][A-Za-z0-9_]{0,252}$/.test(text) ? text : 'Failed'
}
