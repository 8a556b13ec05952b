/**
 * What the leader does, for as long as it leads: numbers for the nodes, a plan for each, and the truth about both.
 *
 * Whatever changes wakes one round: allocate, save the ledger, plan, hand out, report. A round looks at everything as it
 * is now, so none depends on the one before; what one bad object breaks is that object. What takes long is done in slices:
 * the Lease is renewed by the same thread.
 */
import type { Underlay } from '../api/kinds/underlay.ts'
import type { Labels } from '../api/kinds/selector.ts'
import type { FabricPlanner } from '../api/plan/fabric-planner.ts'
import type { NodeFacts } from '../api/plan/node-facts.ts'
import type { PlanVersion } from '../api/plan/plan-version.ts'
import type { Steps } from '../api/plan/steps.ts'
import type { Snapshot } from '../api/snapshot/snapshot.ts'
import type { Detail, Hello, Report } from '../api/wire/generated/distribution_pb.ts'
import type { Log } from '../log/log.ts'
import { backoffMs } from '../pace/backoff.ts'
import { monotonicClock } from '../pace/clock.ts'
import { inSlices, type SlicesOptions } from '../pace/slices.ts'
import { Wake } from '../pace/wake.ts'
import { allocate, type Allocation } from './allocation/allocate.ts'
import { decodeLedger, encodeLedger, ledgerOf, type Ledger } from './allocation/ledger.ts'
import type { AgentObserver, PlanBook } from './distribution/ports.ts'
import type { FabricStore } from './fabric/fabric-store.ts'
import type { World } from './fabric/world.ts'
import type { LeaderMetrics } from './metrics.ts'
import { RouterNodeKeeper } from './status/router-node-keeper.ts'
import { StatusKeeper } from './status/status-keeper.ts'

export interface LeaderOptions {
  readonly store: FabricStore
  /** Outlives the term: the next one plans what changed meanwhile. */
  readonly planner: FabricPlanner
  readonly log: Log
  readonly metrics: LeaderMetrics
  readonly now: () => number
  /** Milliseconds that never go back: what slices are measured by. @default performance.now */
  readonly monotonic?: () => number
  readonly indexRestMs: number
  readonly agentGraceMs: number
  /** The plans of these nodes are others now. */
  readonly changed: (nodes: Iterable<string>) => void
  readonly requestDetail: (node: string) => void
}

const QUIET_MS = 50
const LATEST_MS = 500
/** What agents say comes back as statuses of thousands of RouterNodes: to look at those a tenth of the time is enough. */
const SHARE = 10
const RETRY = { firstMs: 500, longestMs: 15_000 } as const

export class Leader implements PlanBook, AgentObserver {
  readonly #options: LeaderOptions
  readonly #status: StatusKeeper
  readonly #routerNodes: RouterNodeKeeper
  readonly #wake = new Wake({ quietMs: QUIET_MS, latestMs: LATEST_MS })
  /** As it was saved last. */
  #ledger: Ledger = ledgerOf([])
  /** It may have been written, or written by somebody else: to be read again before it is written. */
  #doubtful = false
  #failures = 0
  /** Nodes whose document gives an index that they cannot have, with that index. */
  #withheld: ReadonlyMap<string, number> = new Map()
  #timer: NodeJS.Timeout | undefined
  #planned: { readonly snapshot: Snapshot; readonly facts: readonly NodeFacts[] } | undefined
  /** What was allocated last, and for which world. */
  #allocation: { readonly world: World; readonly allocation: Allocation } | undefined
  readonly #slices: SlicesOptions
  /** Until then a world in which only statuses are others is not looked at. */
  #restUntilMs = 0

  constructor(options: LeaderOptions) {
    const { store, log, now, monotonic, agentGraceMs, requestDetail, metrics } = options
    this.#options = options
    this.#slices = monotonic === undefined ? {} : { now: monotonic }
    const failed = (what: string, error: unknown): void => {
      metrics.writeFailures.inc()
      log.warn('cannot write, it is tried again', { what, error })
    }
    this.#status = new StatusKeeper({ store, log, now, graceMs: agentGraceMs, requestDetail, failed })
    this.#routerNodes = new RouterNodeKeeper({ store, failed })
  }

  /** Nothing is handed out before everything was planned once. */
  current(node: string): PlanVersion | undefined {
    return this.#planned === undefined ? undefined : this.#options.planner.current(node)
  }

  connected(node: string, hello: Hello): void {
    this.#options.store.agentConnected(node, hello.labels)
    this.#status.connected(node, hello)
  }

  disconnected(node: string): void {
    this.#options.store.agentDisconnected(node)
    this.#status.disconnected(node)
  }

  acknowledged(node: string, revision: string, error: string | undefined): void {
    this.#status.acknowledged(node, revision, error)
  }

  reported(node: string, report: Report): void {
    this.#status.reported(node, report)
  }

  detailed(node: string, detail: Detail): void {
    this.#status.detailed(node, detail)
  }

  /** The world is another one. */
  worldChanged(): void {
    this.#wake.request('world')
  }

  counts(): ReturnType<StatusKeeper['counts']> {
    return this.#status.counts()
  }

  /** Leads until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const working = [this.#status.run(signal), this.#routerNodes.run(signal)]
    try {
      await this.#begin(signal)
      while (!signal.aborted && (await this.#wake.next(signal)).length > 0) await this.#round(signal)
    } finally {
      clearTimeout(this.#timer)
      await Promise.all(working)
    }
  }

  /** The ledger is read before anything is handed out, however long that takes. */
  async #begin(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.#read(signal)
        this.#wake.request('start')
        return
      } catch (error) {
        if (signal.aborted) return
        if (failures === 0)
          this.#options.log.error('cannot read the ledger of numbers: nothing is planned before', { error })
        failures++
        await monotonicClock.wait(backoffMs(failures, RETRY, Math.random()), signal)
      }
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const text = await this.#options.store.loadLedger(signal)
    // One that was removed is written anew, with the numbers that rest.
    if (text !== undefined) this.#ledger = decodeLedger('the ledger of numbers', text)
    this.#doubtful = false
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { store, metrics, log } = this.#options
    const { world } = store
    if (world === undefined) return
    const start = performance.now()
    const statusesOnly = this.#saysStatusesOnly(world)
    if (statusesOnly && start < this.#restUntilMs) return this.#again(this.#restUntilMs - start)
    const failures = this.#failures
    try {
      await this.#plan(world, signal)
      metrics.rounds.inc()
      if (this.#failures === failures) this.#failures = 0
    } catch (error) {
      if (signal.aborted) return
      metrics.roundFailures.inc()
      log.error('a round of planning failed, what was planned stays', { error })
      this.#retry()
    }
    const tookMs = performance.now() - start
    metrics.roundSeconds.observe(tookMs / 1000)
    if (statusesOnly) this.#restUntilMs = start + SHARE * tookMs
  }

  /** Nothing that is planned has changed since the last round, and it was a good one. */
  #saysStatusesOnly(world: World): boolean {
    const { snapshot } = this.#planned ?? {}
    const last = this.#allocation
    if (last === undefined || last.allocation.ledger !== this.#ledger || this.#doubtful || this.#failures > 0)
      return false
    if (this.#options.now() >= (last.allocation.nextAtMs ?? Infinity)) return false
    return snapshot === world.snapshot && sameNumbersIn(last.world, world)
  }

  async #plan(world: World, signal: AbortSignal): Promise<void> {
    const facts = await this.#allocated(world, signal)
    if (signal.aborted) return
    const { planner, metrics, changed: tell } = this.#options
    const { snapshot } = world
    const before = this.#planned
    const anew = before?.snapshot !== snapshot || !sameFacts(before.facts, facts)
    const changed = anew ? await inSlices(planner.update(snapshot, facts), { ...this.#slices, signal }) : []
    const told = before === undefined ? facts.map(({ name }) => name) : changed
    await inSlices(this.#weigh(told), { ...this.#slices, signal })
    this.#planned = { snapshot, facts }
    tell(told)
    metrics.plansChanged.inc(changed.length)
    this.#status.planned(world, told, (node) => planner.current(node), planner.refused)
    this.#routerNodes.keep(world, facts, (node) => planner.current(node)?.refused ?? [])
  }

  /** Revisions are worked out when somebody asks, and of these all will be asked for at once. */
  *#weigh(nodes: readonly string[]): Steps<number> {
    const { planner } = this.#options
    let weighed = 0
    for (const node of nodes) {
      const version = planner.current(node)
      if (version?.revision !== undefined && version.refused.length >= 0) weighed++
      yield
    }
    return weighed
  }

  /** Numbers of the nodes that are there; new ones count from when they are saved. */
  async #allocated(world: World, signal: AbortSignal): Promise<readonly NodeFacts[]> {
    const { store, now, log, metrics } = this.#options
    try {
      if (this.#doubtful) await this.#read(signal)
      const allocation = await this.#allocate(world)
      if (allocation.nextAtMs !== undefined) this.#again(allocation.nextAtMs - now())
      if (allocation.ledger !== this.#ledger) {
        await store.saveLedger(encodeLedger(allocation.ledger), signal)
        const before = this.#ledger
        this.#ledger = allocation.ledger
        await inSlices(this.#tell(before, allocation.ledger, world), this.#slices)
      }
      this.#warn(world)
      return allocation.facts
    } catch (error) {
      if (signal.aborted) return []
      log.error('cannot save the ledger of numbers: new nodes and addresses wait for it', { error })
      metrics.writeFailures.inc()
      this.#doubtful = true
      this.#retry()
      const { ledger, facts } = await this.#allocate(world)
      return facts.filter(({ name }) => this.#ledger.get(name) === ledger.get(name))
    }
  }

  async #allocate(world: World): Promise<Allocation> {
    const { planner, now, indexRestMs: restMs } = this.#options
    const last = this.#allocation
    if (last?.allocation.ledger === this.#ledger && sameNumbersIn(last.world, world))
      if (now() < (last.allocation.nextAtMs ?? Infinity)) return last.allocation
    const routerNodes = world.routerNodes.map(({ name, resource: { spec } }) => ({ name, ...spec }))
    // To its end, whatever becomes of the term: half a look is of no use to the next one.
    const underlays = await inSlices(planner.underlays(world.snapshot, world.nodes), this.#slices)
    const underlayOf = (_labels: Labels, node: string): Underlay | undefined => underlays(node)
    const given = { nodes: world.nodes, routerNodes, underlayOf, restMs }
    const allocation = allocate(withoutMoved(this.#ledger, world), given, now())
    this.#allocation = { world, allocation }
    return allocation
  }

  /** Once for each document that gives an index which another node has. */
  #warn({ routerNodes }: World): void {
    const withheld = routerNodes.flatMap(({ fixed, name, resource: { spec } }): [string, number][] =>
      fixed && this.#ledger.has(name) && this.#ledger.get(name)?.index !== spec.index ? [[name, spec.index]] : [],
    )
    for (const [name, index] of withheld) {
      if (this.#withheld.get(name) === index) continue
      const holder = [...this.#ledger.values()].find((entry) => entry.index === index)?.node
      const keeps = this.#ledger.get(name)?.index
      this.#options.log.warn('an index is withheld: it belongs to another node; give one that is free', {
        object: `RouterNode/${name}`,
        field: 'spec.index',
        value: index,
        holder,
        keeps,
      })
    }
    this.#withheld = new Map(withheld)
  }

  /** Once for each node that got numbers. */
  *#tell(before: Ledger, after: Ledger, world: World): Steps<void> {
    const nodes = new Map(world.nodes.map((node) => [node.name, node]))
    for (const entry of after.values()) {
      const was = before.get(entry.node)
      const node = nodes.get(entry.node)
      if (node === undefined || (was?.index === entry.index && was.vteps.join() === entry.vteps.join())) continue
      const { index, vteps } = entry
      const note = `index ${index}${vteps.length === 0 ? '' : `, VTEP ${vteps.join(' and ')}`}`
      this.#options.log.info('NumbersAllocated', { node: node.name, note })
      this.#options.store.record({
        regarding: { type: 'node', name: node.name, uid: node.uid },
        type: 'Normal',
        reason: 'NumbersAllocated',
        action: 'Allocating',
        note,
      })
      yield
    }
    for (const { node } of before.values())
      if (!after.has(node)) this.#options.log.info('the numbers of a node that is gone are free again', { node })
  }

  #retry(): void {
    this.#failures++
    this.#again(backoffMs(this.#failures, RETRY, Math.random()))
  }

  #again(delayMs: number): void {
    clearTimeout(this.#timer)
    // setTimeout takes at most 24 days.
    this.#timer = setTimeout(() => this.#wake.request('time'), Math.min(Math.max(0, delayMs) + 10, 2 ** 31 - 1))
  }
}

/** A person who gives a node another index in a document means it: its numbers are given anew, when they are free. */
function withoutMoved(ledger: Ledger, { routerNodes }: World): Ledger {
  const moved = routerNodes.filter(({ fixed, name, resource }) => {
    const entry = ledger.get(name)
    return fixed && entry !== undefined && entry.index !== resource.spec.index
  })
  if (moved.length === 0) return ledger
  const taken = new Set([...ledger.values()].map(({ index }) => index))
  const free = new Set<string>()
  for (const { name, resource } of moved) {
    const { index } = resource.spec
    // Two documents may say the same: the first one stands.
    if (!taken.has(index)) free.add(name)
    taken.add(index)
  }
  return free.size === 0 ? ledger : ledgerOf([...ledger.values()].filter(({ node }) => !free.has(node)))
}

/** Numbers do not hang on statuses, which change all the time. */
function sameNumbersIn(a: World, b: World): boolean {
  return (
    a.snapshot === b.snapshot &&
    a.nodes === b.nodes &&
    a.routerNodes.length === b.routerNodes.length &&
    a.routerNodes.every(({ resource }, at) => resource === b.routerNodes[at]?.resource)
  )
}

function sameFacts(a: readonly NodeFacts[], b: readonly NodeFacts[]): boolean {
  if (a === b) return true
  return (
    a.length === b.length &&
    a.every((each, at) => {
      const other = b[at]
      return (
        each.name === other?.name &&
        each.index === other.index &&
        each.labels === other.labels &&
        each.vteps === other.vteps &&
        each.routerID === other.routerID &&
        each.exhausted?.join() === other.exhausted?.join()
      )
    })
  )
}
