/**
 * Keeps what `kubectl get` says true: takes in what is planned and what agents say, works out what changed, and has it
 * written at a rate that the API server can bear. One for each time that this replica leads.
 */
import type { PlanVersion } from '../../api/plan/plan-version.ts'
import type { Steps } from '../../api/plan/steps.ts'
import type { Violation } from '../../api/rules/violation.ts'
import type { Detail, Hello, Report } from '../../api/wire/generated/distribution_pb.ts'
import type { Log } from '../../log/log.ts'
import { monotonicClock } from '../../pace/clock.ts'
import { inSlices } from '../../pace/slices.ts'
import type { AgentObserver } from '../distribution/ports.ts'
import { detailDigest, stateDigest } from '../fabric/digest.ts'
import type { FabricStore, Happening } from '../fabric/fabric-store.ts'
import {
  keyOf,
  type Condition,
  type Declared,
  type DeclaredRef,
  type NodeSeen,
  type ResourceStatus,
  type RouterNodeSeen,
  type World,
} from '../fabric/world.ts'
import { Epochs } from './epochs.ts'
import { Fleet, type NodeState } from './fleet.ts'
import { resourceStatus } from './resource-status.ts'
import { onItsWayUntilMs, routerNodeDetail, routerNodeState, type RouterNodeState } from './router-node-status.ts'
import { tally, type Clock, type CountedNode, type Tally } from './tally.ts'
import { nodeTransitions, resourceTransitions } from './transitions.ts'
import { violationsByObject } from './violations.ts'
import { WriteQueue } from './write-queue.ts'

export interface StatusKeeperOptions {
  readonly store: FabricStore
  readonly log: Log
  readonly now: () => number
  readonly graceMs: number
  /** Asks the agent for Detail. */
  readonly requestDetail: (node: string) => void
  /** Called for each write that failed. */
  readonly failed: (what: string, error: unknown) => void
}

interface Said {
  readonly conditions: readonly Condition[]
  readonly digest: string
}

/** Evaluations are at least this far apart, and never more than a tenth of the time. */
const EVALUATE_MS = 200
const SHARE = 10
/** How often what is written is held against what is stored, in case somebody else wrote. */
const SWEEP_MS = 60_000
/** A change of the plan and the agent's answer make one write. */
const SETTLES_MS = 1500

const RATES = { perSecond: 50, burst: 100, atOnce: 8 } as const

export class StatusKeeper implements AgentObserver {
  readonly #options: StatusKeeperOptions
  readonly #fleet = new Fleet()
  readonly #epochs = new Epochs()
  readonly #resourceWrites: WriteQueue
  readonly #nodeWrites: WriteQueue
  /** What was said last, by uid; not yet written perhaps. */
  readonly #said = new Map<string, ResourceStatus>()
  /** Resources that are not Ready for the sake of nodes alone. */
  readonly #quiet = new Set<string>()
  readonly #nodeSaid = new Map<string, Said>()
  readonly #detailSaid = new Map<string, string>()
  readonly #detailAsked = new Map<string, bigint>()
  #world: World | undefined
  #nodes: ReadonlyMap<string, NodeSeen> = new Map()
  /** In the order of their names, which is that of messages. */
  #sorted: readonly NodeSeen[] = []
  #routerNodes: ReadonlyMap<string, RouterNodeSeen> = new Map()
  #fabricRefused: readonly Violation[] = []
  #dirtyNodes = new Set<string>()
  #dirty = false
  /** Nodes to look at again, and when: a grace ends, a change has been on its way for too long. */
  readonly #due = new Map<string, number>()
  #wake: (() => void) | undefined

  constructor(options: StatusKeeperOptions) {
    this.#options = options
    const failed = options.failed
    this.#resourceWrites = new WriteQueue({ ...RATES, failed })
    this.#nodeWrites = new WriteQueue({ ...RATES, failed })
  }

  /** Nodes whose agents are connected and settled, and all that there are: for metrics. */
  counts(): { readonly nodes: number; readonly connected: number; readonly settled: number; readonly waiting: number } {
    const states = [...this.#nodes.keys()].map((name) => this.#fleet.get(name))
    return {
      nodes: states.length,
      connected: states.filter((state) => state?.connection.type === 'connected').length,
      settled: states.filter((state) => state?.pendingSince === Infinity).length,
      waiting: this.#resourceWrites.length + this.#nodeWrites.length,
    }
  }

  /** A round of planning is over: what it was over, which nodes it changed, what they have now, and what it refuses anywhere. */
  planned(
    world: World,
    changed: readonly string[],
    current: (node: string) => PlanVersion | undefined,
    fabricRefused: readonly Violation[],
  ): void {
    if (this.#world === undefined) this.#expect(world)
    const epoch = this.#epochs.advance(world.declared, world.nodes)
    this.#epochs.refusedBefore(this.#fabricRefused, fabricRefused)
    this.#fabricRefused = fabricRefused
    const now = this.#options.now()
    for (const name of changed) {
      const version = current(name)
      if (version === undefined) this.#fleet.unplanned(name, epoch)
      else {
        this.#epochs.refusedBefore(this.#fleet.of(name, now).refused, version.refused)
        this.#fleet.planned(name, version.revision, version.refused, epoch, now)
      }
      this.#touch(name)
    }
    this.#seen(world)
  }

  /** Nodes that have a RouterNode were served before: their agents come back with what they have. */
  #expect({ routerNodes }: World): void {
    const now = this.#options.now()
    for (const { name, uid } of routerNodes) if (uid !== undefined) this.#fleet.expect(name, now)
  }

  /** The world changed in a way that planning has nothing to do with, or could not be planned. */
  #seen(world: World): void {
    const nodes = new Map(world.nodes.map((node) => [node.name, node]))
    for (const name of this.#nodes.keys()) if (!nodes.has(name)) this.#forget(name)
    const routerNodes = new Map(world.routerNodes.map((each) => [each.name, each]))
    const before = this.#routerNodes
    if (world.nodes !== this.#world?.nodes) this.#sorted = world.nodes.toSorted(byName)
    this.#nodes = nodes
    this.#routerNodes = routerNodes
    this.#world = world
    for (const [name, { uid }] of routerNodes)
      if (before.get(name)?.uid !== uid) {
        // Another object: nothing that was said is in it.
        this.#nodeSaid.delete(name)
        this.#detailSaid.delete(name)
        this.#detailAsked.delete(name)
        this.#touch(name)
        this.#askForDetail(name)
      }
    this.#changed()
  }

  connected(node: string, hello: Hello): void {
    this.#fleet.connected(node, hello, this.#options.now())
    this.#detailAsked.delete(node)
    this.#touch(node)
  }

  disconnected(node: string): void {
    if (this.#nodes.has(node)) this.#fleet.disconnected(node, this.#options.now())
    else this.#fleet.forget(node)
    this.#touch(node)
  }

  acknowledged(node: string, revision: string, error: string | undefined): void {
    this.#fleet.acknowledged(node, revision, error)
    this.#touch(node)
  }

  reported(node: string, report: Report): void {
    this.#fleet.reported(node, report)
    this.#touch(node)
    this.#askForDetail(node)
  }

  detailed(node: string, detail: Detail): void {
    const made = routerNodeDetail(detail)
    const digest = detailDigest({ ...made })
    // It may be newer than what was asked for.
    this.#detailAsked.set(node, detail.version)
    this.#askForDetail(node)
    this.#nodeWrites.add(detailWrite(node), 0, async (signal) => {
      if (this.#routerNodes.get(node)?.uid === undefined || this.#detailBefore(node) === digest) return false
      await this.#options.store.applyRouterNodeDetail(node, made, signal)
      this.#detailSaid.set(node, digest)
      return true
    })
  }

  /** Works until the signal aborts; then nothing more is written. */
  async run(signal: AbortSignal): Promise<void> {
    const writing = [this.#resourceWrites.run(signal), this.#nodeWrites.run(signal)]
    let sweptAt = performance.now()
    while (!signal.aborted) {
      await this.#next(signal)
      if (signal.aborted) break
      const start = performance.now()
      if (start - sweptAt >= SWEEP_MS) {
        sweptAt = start
        this.#forgetSaid()
      }
      let tookMs = 0
      await inSlices(this.#evaluate(signal), { spent: (ms) => (tookMs += ms) })
      await monotonicClock.wait(Math.max(EVALUATE_MS, tookMs * SHARE), signal)
    }
    await Promise.all(writing)
  }

  #touch(node: string): void {
    this.#dirtyNodes.add(node)
    this.#changed()
  }

  #changed(): void {
    this.#dirty = true
    this.#wake?.()
  }

  #forget(node: string): void {
    // An agent that stays says nothing anew when its Node comes back.
    if (this.#fleet.get(node)?.connection.type !== 'connected') this.#fleet.forget(node)
    this.#nodeSaid.delete(node)
    this.#detailSaid.delete(node)
    this.#detailAsked.delete(node)
    this.#due.delete(node)
  }

  /** Until something changed or is due. */
  async #next(signal: AbortSignal): Promise<void> {
    if (this.#dirty) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const now = this.#options.now()
    const due = Math.min(SWEEP_MS, ...[...this.#due.values()].map((at) => at - now))
    const timer = setTimeout(resolve, Math.max(EVALUATE_MS, due))
    const stop = (): void => resolve()
    signal.addEventListener('abort', stop, { once: true })
    this.#wake = resolve
    await promise
    this.#wake = undefined
    signal.removeEventListener('abort', stop)
    clearTimeout(timer)
  }

  #clock(): Clock {
    return { nowMs: this.#options.now(), graceMs: this.#options.graceMs }
  }

  /** A resource or a node a step. Each is looked at as it is then; what changes meanwhile is looked at again. */
  *#evaluate(signal: AbortSignal): Steps<void> {
    const world = this.#world
    this.#dirty = false
    if (world === undefined) return
    const clock = this.#clock()
    for (const [node, at] of this.#due) {
      if (at > clock.nowMs) continue
      this.#due.delete(node)
      this.#dirtyNodes.add(node)
    }
    try {
      yield* this.#evaluateResources(world, clock, signal)
    } catch (error) {
      this.#options.failed('status of resources', error)
    }
    const nodes = this.#dirtyNodes
    this.#dirtyNodes = new Set()
    for (const node of nodes) {
      if (signal.aborted) return
      this.#evaluateNode(node, clock)
      yield
    }
  }

  *#evaluateResources(world: World, clock: Clock, signal: AbortSignal): Steps<void> {
    const nodes = this.#sorted.map(({ name, labels }): CountedNode => ({
      name,
      labels,
      state: this.#fleet.of(name, clock.nowMs),
    }))
    const tallies = tally(
      world.declared.flatMap(({ ref, checked }) => {
        if ('problem' in checked) return []
        const key = keyOf(ref)
        return [{ key, selector: checked.resource.spec.nodeSelector, changedAt: this.#epochs.changedAt(key) }]
      }),
      nodes,
      clock,
    )
    const violations = violationsByObject(this.#fabricRefused, nodes)
    for (const declared of world.declared) {
      if (signal.aborted) return
      const key = keyOf(declared.ref)
      const before = this.#said.get(declared.uid) ?? declared.status
      const facts = {
        declared: before === undefined ? declared : { ...declared, status: before },
        violations: violations.get(key) ?? [],
        tally: tallies.get(key),
      }
      const status = resourceStatus(facts, clock.nowMs)
      if (status !== undefined && !sameStatus(before, status)) this.#say(declared, before, status, facts.tally)
      yield
    }
    const uids = new Set(world.declared.map(({ uid }) => uid))
    for (const uid of this.#said.keys()) if (!uids.has(uid)) this.#said.delete(uid)
    for (const uid of this.#quiet) if (!uids.has(uid)) this.#quiet.delete(uid)
  }

  #say(
    declared: Declared,
    before: ResourceStatus | undefined,
    status: ResourceStatus,
    counts: Tally | undefined,
  ): void {
    const { ref, uid } = declared
    this.#said.set(uid, status)
    const quiet = this.#isQuiet(uid, before, status, counts)
    for (const told of resourceTransitions(before?.conditions ?? [], status.conditions, status.nodes?.failed ?? 0))
      if (!quiet || told.action !== 'Reporting') this.#record({ ...told, regarding: { type: 'resource', ref, uid } })
    const urgent = !sameConditions(before?.conditions ?? [], status.conditions)
    this.#resourceWrites.add(statusWrite(ref), urgent ? 0 : 1, async (signal) => {
      const latest = this.#said.get(uid)
      if (latest === undefined) return false
      await this.#options.store.applyStatus(declared, latest, signal)
      return true
    })
  }

  /** That a node is away or broken, and back, is an Event on the node, not one on each of two thousand resources. */
  #isQuiet(uid: string, before: ResourceStatus | undefined, after: ResourceStatus, counts: Tally | undefined): boolean {
    // Unknown is what it was for the sake of nodes that were away, also under a former leader.
    if (readyStatus(after) === 'True') return this.#quiet.delete(uid) || readyStatus(before) === 'Unknown'
    const { failed = 0, broken = 0, away = 0, waiting = 0, applying = 0 } = counts ?? {}
    const quiet = broken + away > 0 && failed === broken && waiting === 0 && applying === 0
    if (quiet) this.#quiet.add(uid)
    else this.#quiet.delete(uid)
    return quiet
  }

  #evaluateNode(node: string, clock: Clock): void {
    const routerNode = this.#routerNodes.get(node)
    if (routerNode?.uid === undefined || !this.#nodes.has(node)) return
    const state = this.#fleet.of(node, clock.nowMs)
    const before = this.#nodeSaid.get(node) ?? { conditions: routerNode.conditions, digest: routerNode.stateDigest }
    this.#remember(state, clock)
    const next = routerNodeState(state, before.conditions, clock)
    if (next === undefined) return
    const digest = stateDigest({ ...next })
    if (digest === before.digest) return
    const urgent = !sameConditions(before.conditions, next.conditions)
    if (!urgent && state.pendingSince !== Infinity && clock.nowMs - state.desiredSinceMs < SETTLES_MS) {
      this.#due.set(node, state.desiredSinceMs + SETTLES_MS)
      return
    }
    this.#nodeSaid.set(node, { conditions: next.conditions, digest })
    const uid = this.#nodes.get(node)?.uid ?? ''
    for (const told of nodeTransitions(before.conditions, next.conditions, itsOwn(state)))
      this.#record({ ...told, regarding: { type: 'node', name: node, uid } })
    this.#writeState(node, next, urgent)
  }

  #writeState(node: string, state: RouterNodeState, urgent: boolean): void {
    this.#nodeWrites.add(stateWrite(node), urgent ? 0 : 2, async (signal) => {
      if (this.#routerNodes.get(node)?.uid === undefined) return false
      await this.#options.store.applyRouterNodeState(node, state, signal)
      return true
    })
  }

  /** When time alone will change what is said of the node. */
  #remember(state: NodeState, { nowMs, graceMs }: Clock): void {
    const { name, connection } = state
    const times = [
      connection.type === 'away' ? connection.sinceMs + graceMs : Infinity,
      !state.told || connection.type === 'unseen' || state.pendingSince === 0 ? state.knownSinceMs + graceMs : Infinity,
      onItsWayUntilMs(state) ?? Infinity,
    ].filter((at) => at > nowMs)
    const next = Math.min(...times)
    if (next === Infinity) this.#due.delete(name)
    else this.#due.set(name, next)
  }

  #detailBefore(node: string): string | undefined {
    return this.#detailSaid.get(node) ?? this.#routerNodes.get(node)?.detailDigest
  }

  /** Asked for at the rate at which it can be written. */
  #askForDetail(node: string): void {
    const version = this.#fleet.get(node)?.detailVersion ?? 0n
    if (version === 0n || this.#detailAsked.get(node) === version) return
    // An agent sends each version once: it is asked when there is somewhere to write it.
    if (this.#routerNodes.get(node)?.uid === undefined) return
    this.#nodeWrites.add(`ask ${node} for detail`, 1, async () => {
      const state = this.#fleet.get(node)
      if (state?.connection.type !== 'connected') return false
      this.#detailAsked.set(node, state.detailVersion)
      this.#options.requestDetail(node)
      return true
    })
  }

  /** From here on what is stored counts, not what was said; but for what still waits to be written. */
  #forgetSaid(): void {
    for (const { ref, uid } of this.#world?.declared ?? [])
      if (!this.#resourceWrites.has(statusWrite(ref))) this.#said.delete(uid)
    for (const node of this.#nodes.keys()) {
      if (!this.#nodeWrites.has(stateWrite(node))) this.#nodeSaid.delete(node)
      this.#dirtyNodes.add(node)
      const said = this.#detailSaid.get(node)
      if (said === undefined || this.#nodeWrites.has(detailWrite(node))) continue
      if (this.#routerNodes.get(node)?.detailDigest === said) continue
      this.#detailSaid.delete(node)
      this.#detailAsked.delete(node)
      this.#askForDetail(node)
    }
  }

  #record(happening: Happening): void {
    const { regarding, type, reason, note } = happening
    const object = regarding.type === 'node' ? { node: regarding.name } : { resource: keyOf(regarding.ref) }
    this.#options.log[type === 'Warning' ? 'warn' : 'info'](reason, { ...object, note })
    this.#options.store.record(happening)
  }
}

const byName = (a: NodeSeen, b: NodeSeen): number => (a.name < b.name ? -1 : 1)

const statusWrite = (ref: DeclaredRef): string => `status of ${keyOf(ref)}`
const stateWrite = (node: string): string => `state of ${node}`
const detailWrite = (node: string): string => `detail of ${node}`

/** Something on the node itself is wrong, rather than with what it is to do. */
function itsOwn({ problem, rejected, unready }: NodeState): boolean {
  return problem !== undefined || rejected !== undefined || unready.size > 0
}

function readyStatus(status: ResourceStatus | undefined): Condition['status'] | undefined {
  return status?.conditions.find(({ type }) => type === 'Ready')?.status
}

function sameStatus(a: ResourceStatus | undefined, b: ResourceStatus): boolean {
  return a !== undefined && a.nodes?.failed === b.nodes?.failed && a.nodes?.summary === b.nodes?.summary
    ? a.conditions.length === b.conditions.length && b.conditions.every((each) => sameCondition(a.conditions, each))
    : false
}

function sameCondition(before: readonly Condition[], { type, status, reason, message, observedGeneration }: Condition) {
  const was = before.find((each) => each.type === type)
  return (
    was?.status === status &&
    was.reason === reason &&
    was.message === message &&
    was.observedGeneration === observedGeneration
  )
}

/** What people wait for. */
function sameConditions(before: readonly Condition[], after: readonly Condition[]): boolean {
  return after.every(({ type, status, reason, observedGeneration }) => {
    const was = before.find((each) => each.type === type)
    return was?.status === status && was.reason === reason && was.observedGeneration === observedGeneration
  })
}
