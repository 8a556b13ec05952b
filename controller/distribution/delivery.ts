/**
 * What an agent has and what it is to get next: the decisions of a session, pure.
 *
 * One update is in flight at a time. The next one is computed from what the agent acknowledged to what is current then,
 * so all changes in between travel as one. An agent that answers with something else than what it was sent gets the
 * whole plan; one that keeps doing so waits longer each time.
 */
import { createHash } from 'node:crypto'
import type { PlanVersion } from '../../api/plan/plan-version.ts'

export interface Delivery {
  /** What the agent says it has; empty: nothing. */
  readonly revision: string
  /** Of the list of refusals that it has; undefined: who knows. */
  readonly refusedDigest: string | undefined
  /** The version of `revision`, if a change can be computed from it. */
  readonly version?: PlanVersion
  /** Sent and not yet acknowledged. */
  readonly inFlight?: PlanVersion
  /** Answers in a row that were not what was sent. */
  readonly failures: number
  readonly failedRevision?: string
  readonly failedMs: number
  readonly sentMs: number
  /** The next update is sent this long after the last one at the earliest. */
  readonly gapMs: number
}

export type Step =
  | { readonly type: 'rest' }
  | { readonly type: 'wait'; readonly untilMs: number }
  /** Without `before` the whole plan. */
  | { readonly type: 'send'; readonly version: PlanVersion; readonly before?: PlanVersion }

/** One change goes out at once; in a burst the gap between updates grows from the first to the second, then rests. */
const GAP_MS = 100
const MAX_GAP_MS = 1000
/** Without an update for so long, a burst is over. */
const QUIET_MS = 2000

const BACKOFF_MS = 1000
const MAX_BACKOFF_MS = 30_000
/** A plan other than the one that was not taken may be better: it need not wait longer than this. */
const MAX_BACKOFF_OTHER_MS = 5000

/** From what Hello says. */
export function greeted(revision: string, digest: string): Delivery {
  return { revision, refusedDigest: digest, failures: 0, failedMs: -Infinity, sentMs: -Infinity, gapMs: 0 }
}

/** Whether the agent has all of it: then there is nothing to send. */
export function has(delivery: Delivery, version: PlanVersion): boolean {
  return delivery.revision === version.revision && delivery.refusedDigest === refusedDigest(version)
}

/** `now` is of a clock that never goes back. */
export function nextStep(delivery: Delivery, current: PlanVersion | undefined, now: number): Step {
  if (delivery.inFlight || !current || has(delivery, current)) return { type: 'rest' }
  const untilMs = Math.max(delivery.sentMs + delivery.gapMs, delivery.failedMs + backoff(delivery, current))
  if (untilMs > now) return { type: 'wait', untilMs }
  const before = delivery.version ?? (delivery.revision === current.revision ? current : undefined)
  return before ? { type: 'send', version: current, before } : { type: 'send', version: current }
}

function backoff({ failures, failedRevision }: Delivery, current: PlanVersion): number {
  if (failures < 2) return 0
  const longest = failedRevision === current.revision ? MAX_BACKOFF_MS : MAX_BACKOFF_OTHER_MS
  return Math.min(BACKOFF_MS * 2 ** (failures - 2), longest)
}

/** The last message of an update has gone out. */
export function sent(delivery: Delivery, version: PlanVersion, now: number): Delivery {
  const burst = now - delivery.sentMs < QUIET_MS
  const gapMs = burst ? Math.min(delivery.gapMs * 2, MAX_GAP_MS) : GAP_MS
  return { ...delivery, inFlight: version, sentMs: now, gapMs }
}

/** The agent has what is current without having been sent it; later changes start from there. */
export function adopted(delivery: Delivery, version: PlanVersion): Delivery {
  return delivery.version === version ? delivery : { ...delivery, version }
}

/** The agent answered, be it asked or not. */
export function acknowledged(delivery: Delivery, revision: string, error: string, now: number): Delivery {
  const { inFlight, version, ...rest } = delivery
  if (error === '' && inFlight && revision === inFlight.revision)
    return { ...rest, revision, refusedDigest: refusedDigest(inFlight), version: inFlight, failures: 0 }
  if (error === '' && !inFlight && revision === delivery.revision) return delivery
  const failedRevision = inFlight?.revision ?? version?.revision
  return {
    ...rest,
    revision,
    refusedDigest: undefined,
    failures: rest.failures + 1,
    ...(failedRevision === undefined ? {} : { failedRevision }),
    failedMs: now,
  }
}

const digests = new WeakMap<PlanVersion['refused'], string>()

/** Equal lists, equal digests; empty for the empty list. */
export function refusedDigest({ refused }: PlanVersion): string {
  if (refused.length === 0) return ''
  const known = digests.get(refused)
  if (known !== undefined) return known
  const digest = createHash('sha256').update(JSON.stringify(refused)).digest('hex').slice(0, 12)
  digests.set(refused, digest)
  return digest
}
