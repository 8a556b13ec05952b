/** The states of all resources on this node, from pass to pass; says in the log when one becomes another. */
import type { NodePlan, ResourceRef } from '../api/plan/node-plan.ts'
import type { Log } from '../log/log.ts'
import { FRR_AWAY, NODE, Pass } from './pass.ts'
import { isHeldBack, nextState, resourcesOf, type ResourceState } from './resource-state.ts'

export interface Clock {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** 0 to 1. */
  readonly random: () => number
}

export interface ResourceReport {
  readonly ref: ResourceRef
  readonly state: ResourceState
}

/** What waits is looked at again after as long as it has been waiting, within these bounds. */
const SOONEST_LOOK_MS = 500
const LATEST_LOOK_MS = 30_000

/** More than these in the same state at once are told as a number. */
const MANY = 20

interface Entry {
  readonly ref?: ResourceRef
  readonly state: ResourceState
}

export class ResourceStates {
  readonly #log: Log
  readonly #clock: Clock
  readonly #states = new Map<string, Entry>()
  /** Of them, those that are not Ready: a pass looks at these alone. */
  readonly #unready = new Map<string, ResourceState>()
  #wanted: { readonly plan: NodePlan; readonly refs: ReadonlyMap<string, ResourceRef> } | undefined
  #retry = false

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** Lets the next pass try what waits for its next try. */
  retryNow(): void {
    this.#retry = true
  }

  /** Begins a pass: what is seen for the first time is Pending, what waits for its next try is held back. */
  begin(plan: NodePlan): Pass {
    const now = this.#clock.now()
    if (this.#wanted?.plan !== plan) {
      this.#wanted = { plan, refs: resourcesOf(plan) }
      for (const [key, ref] of this.#wanted.refs)
        if (!this.#states.has(key)) this.#put(key, { ref, state: { state: 'Pending', since: now, message: 'seen' } })
    }
    if (this.#retry) this.#forgetAttempts(now)
    const held = [...this.#unready].filter(([, state]) => isHeldBack(state, now))
    return new Pass(plan, this.#wanted.refs, new Set(held.map(([key]) => key)))
  }

  #put(key: string, entry: Entry): void {
    this.#states.set(key, entry)
    if (entry.state.state === 'Ready') this.#unready.delete(key)
    else this.#unready.set(key, entry.state)
  }

  #delete(key: string): void {
    this.#states.delete(key)
    this.#unready.delete(key)
  }

  #forgetAttempts(now: number): void {
    this.#retry = false
    for (const [key, state] of this.#unready) {
      if (state.state === 'Failed')
        this.#put(key, { ...this.#states.get(key), state: { ...state, attempts: 0, nextTry: now } })
    }
  }

  /** Takes up what a pass found out. What is no longer wanted and has nothing left on the node is forgotten. */
  take(pass: Pass): void {
    const findings = pass.findings(this.#unready.keys())
    const news: (readonly [key: string, state: ResourceState])[] = []
    for (const [key, { ref, outcome }] of findings) {
      const was = this.#states.get(key)?.state
      const state = nextState(was, outcome, this.#clock.now(), this.#clock.random())
      if (state.state === 'Ready' && !pass.wanted.has(key)) this.#delete(key)
      else this.#put(key, { ...(ref === undefined ? {} : { ref }), state })
      if (isNews(key, was, state, pass.frrAway !== undefined)) news.push([key, state])
    }
    this.#tell(news)
    for (const key of this.#states.keys()) {
      if (key === NODE ? !findings.has(key) : !pass.concerns(key)) this.#delete(key)
    }
  }

  /** Each in a line; of many that came into the same state, and did not fail, how many they are. */
  #tell(news: readonly (readonly [key: string, state: ResourceState])[]): void {
    for (const [state, all] of Map.groupBy(news, ([, each]) => each.state)) {
      const isMany = state !== 'Failed' && all.length > MANY
      for (const [key, each] of all) this.#tellOne(key, each, isMany ? 'debug' : 'info')
      if (isMany) this.#log.info(`resources are ${state}`, { count: all.length })
    }
  }

  #tellOne(key: string, state: ResourceState, level: 'debug' | 'info'): void {
    const resource = key === NODE ? 'node' : key
    if (state.state === 'Failed') {
      const { reason, message, nextTry } = state
      this.#log.warn('resource failed', { resource, reason, message, nextTry: new Date(nextTry).toISOString() })
    } else {
      this.#log[level](`resource is ${state.state}`, {
        resource,
        message: 'message' in state ? state.message : undefined,
      })
    }
  }

  /** How long until something should be looked at again without being woken; undefined: not before the resync. */
  get dueMs(): number | undefined {
    const now = this.#clock.now()
    const waits = [...this.#unready.values()].flatMap((state) => {
      if (state.state === 'Failed') return [Math.max(0, state.nextTry - now)]
      if (state.state !== 'Applying') return []
      return [Math.min(LATEST_LOOK_MS, Math.max(SOONEST_LOOK_MS, now - state.since))]
    })
    return waits.length === 0 ? undefined : Math.min(...waits)
  }

  /** Whether everything is as it should be, as far as this machine can do it. */
  get settled(): boolean {
    return this.settledBut([])
  }

  /** The same of all resources but these (`L3VNI/red`). */
  settledBut(others: readonly string[]): boolean {
    const except = new Set(others)
    return [...this.#unready].every(([key, { state }]) => state === 'Unsupported' || except.has(key))
  }

  /** Every resource that is wanted, or still has something on the node that cannot be removed. */
  get resources(): readonly ResourceReport[] {
    return [...this.#states.values()].flatMap(({ ref, state }) => (ref === undefined ? [] : [{ ref, state }]))
  }

  /** What is wrong with the node as a whole; undefined when nothing is. */
  get node(): ResourceState | undefined {
    return this.#states.get(NODE)?.state
  }
}

/** That FRR comes and goes is said once, not for every resource that waits for it. */
function isNews(key: string, was: ResourceState | undefined, state: ResourceState, frrAway: boolean): boolean {
  if (was?.state === state.state) {
    return state.state === 'Failed' && was.state === 'Failed' && was.reason !== state.reason
  }
  if (key === NODE && was === undefined) return state.state !== 'Ready'
  if (frrAway) return state.state !== 'Applying'
  return !(state.state === 'Ready' && was?.state === 'Applying' && was.message.startsWith(FRR_AWAY))
}
