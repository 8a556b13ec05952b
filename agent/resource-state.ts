/**
 * How each resource of the plan stands on this node, and when it is tried again. Pure: time and randomness come in.
 */
import type { NodePlan, ResourceRef } from '../api/plan/node-plan.ts'

/** Times are milliseconds since 1970. */
export type ResourceState =
  /** Seen, nothing done yet. */
  | { readonly state: 'Pending'; readonly since: number; readonly message: string }
  /** Being worked on; `message` says what is waited for. */
  | { readonly state: 'Applying'; readonly since: number; readonly message: string }
  /** The kernel and FRR are as the plan says, looked at after the last change. */
  | { readonly state: 'Ready'; readonly since: number }
  | {
      readonly state: 'Failed'
      readonly since: number
      /** One CamelCase word. */
      readonly reason: string
      readonly message: string
      /** How often it was tried in vain. */
      readonly attempts: number
      readonly nextTry: number
    }
  /** This machine lacks what the resource needs. */
  | { readonly state: 'Unsupported'; readonly since: number; readonly message: string }

/** What one pass found out about a resource. */
export type Outcome =
  | { readonly type: 'ready' }
  | { readonly type: 'waiting'; readonly message: string }
  | { readonly type: 'failed'; readonly reason: string; readonly message: string; readonly permanent: boolean }
  | { readonly type: 'unsupported'; readonly message: string }

/** Something that could not be done; for a resource, or for the node as a whole. */
export interface Failure {
  readonly for?: ResourceRef
  readonly reason: string
  readonly message: string
  /** Trying again will not help until something else changes. */
  readonly permanent: boolean
}

/**
 * Reasons that an observation shows: nothing was tried, so every pass may look again at no cost, and the event that
 * ends them (the link goes, the NIC comes) is acted on at once.
 */
const OBSERVED: ReadonlySet<string> = new Set(['NameTaken', 'NicMissing', 'MasterMissing', 'Waiting'])

/** Whether a resource's work is left alone until its next try. */
export function isHeldBack(state: ResourceState, now: number): boolean {
  return state.state === 'Failed' && state.nextTry > now && !OBSERVED.has(state.reason)
}

const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 5 * 60_000

/**
 * How long to wait after the given number of failed attempts: 1 s, 2 s, 4 s up to 5 min, less up to a quarter by
 * `random` (0 to 1), so that nodes do not retry in step. What is permanent waits 5 minutes at once.
 */
export function retryDelay(attempts: number, permanent: boolean, random: number): number {
  const delay = permanent ? LAST_RETRY_MS : Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 20))
  return Math.round(delay * (1 - random / 4))
}

/** The state after a pass. `since` moves only when the state, or a failure's reason, becomes another. */
export function nextState(
  was: ResourceState | undefined,
  outcome: Outcome,
  now: number,
  random: number,
): ResourceState {
  const since = (state: ResourceState['state']): number => (was?.state === state ? was.since : now)
  switch (outcome.type) {
    case 'ready':
      return { state: 'Ready', since: since('Ready') }
    case 'waiting':
      return { state: 'Applying', since: since('Applying'), message: outcome.message }
    case 'unsupported':
      return { state: 'Unsupported', since: since('Unsupported'), message: outcome.message }
    case 'failed': {
      const { reason, message, permanent } = outcome
      const same = was?.state === 'Failed' && was.reason === reason
      const attempts = was?.state === 'Failed' ? was.attempts + 1 : 1
      const nextTry = now + retryDelay(attempts, permanent, random)
      return { state: 'Failed', since: same ? was.since : now, reason, message, attempts, nextTry }
    }
  }
}

/** `L3VNI/red`. */
export function keyOfRef(ref: ResourceRef): string {
  return `${ref.kind}/${ref.name}`
}

/** Every resource that a plan serves by its key (`L3VNI/red`), each once, in the plan's order. */
export function resourcesOf(plan: NodePlan): ReadonlyMap<string, ResourceRef> {
  const refs = new Map<string, ResourceRef>()
  const add = (ref: ResourceRef | undefined): void => {
    if (ref !== undefined) refs.set(keyOfRef(ref), ref)
  }
  add(plan.router?.for)
  for (const vrf of plan.vrfs) {
    add(vrf.for)
    add(vrf.hostSession?.for)
  }
  for (const segment of plan.segments) add(segment.for)
  add(plan.passthrough?.for)
  return refs
}
