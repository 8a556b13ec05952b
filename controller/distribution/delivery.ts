/**
 * What an agent has and what it is to get next: the decisions of a session, pure.
 *
 * One update is in flight at a time. The next one is computed from what the agent acknowledged to what is current then,
 * so all changes in between travel as one. An agent that answers with something else than what it was sent gets the
 * whole plan; one that keeps doing so waits longer each time.
 *
 * A change goes out at once. While one follows the other, updates come ever more seldom, each with all that has changed,
 * and the last one as soon as nothing more has come for a second: so a thousand edits are a handful of updates.
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
  /** As long as changes come, the next update is sent this long after the last one. */
  readonly gapMs: number
  /** When the first and the last change came that no update covers. */
  readonly change?: { readonly firstMs: number; readonly lastMs: number }
}

export type Step =
  | { readonly type: 'rest' }
  | { readonly type: 'wait'; readonly untilMs: number }
  /** Without `before` the whole plan. */
  | { readonly type: 'send'; readonly version: PlanVersion; readonly before?: PlanVersion }

/** In a burst the gap between two updates grows threefold each time, to what people can bear to wait for. */
const GAP_MS = 100
const GROWTH = 3
const MAX_GAP_MS = 10_000
/** Changes that are no further apart are a burst. */
const QUIET_MS = 1000

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
  const untilMs = Math.max(delivery.sentMs + gap(delivery), delivery.failedMs + backoff(delivery, current))
  if (untilMs > now) return { type: 'wait', untilMs }
  const before = delivery.version ?? (delivery.revision === current.revision ? current : undefined)
  return before ? { type: 'send', version: current, before } : { type: 'send', version: current }
}

function gap({ sentMs, gapMs, change }: Delivery): number {
  if (change === undefined) return Math.min(gapMs, QUIET_MS)
  if (!follows(change, sentMs)) return GAP_MS
  return Math.min(gapMs, Math.max(GAP_MS, change.lastMs + QUIET_MS - sentMs))
}

/** Whether the change goes on with the burst that the update of `sentMs` was part of. */
function follows(change: Delivery['change'], sentMs: number): boolean {
  return change !== undefined && change.firstMs - sentMs < QUIET_MS
}

function backoff({ failures, failedRevision }: Delivery, current: PlanVersion): number {
  if (failures < 2) return 0
  const longest = failedRevision === current.revision ? MAX_BACKOFF_MS : MAX_BACKOFF_OTHER_MS
  return Math.min(BACKOFF_MS * 2 ** (failures - 2), longest)
}

/** The node's plan has changed; no update covers that yet. */
export function changed(delivery: Delivery, now: number): Delivery {
  return { ...delivery, change: { firstMs: delivery.change?.firstMs ?? now, lastMs: now } }
}

/** An update is laid out: it covers what has changed up to now. */
export function begun({ change, ...rest }: Delivery): Delivery {
  return { ...rest, gapMs: follows(change, rest.sentMs) ? Math.min(rest.gapMs * GROWTH, MAX_GAP_MS) : GAP_MS }
}

/** The last message of an update has gone out. */
export function sent(delivery: Delivery, version: PlanVersion, now: number): Delivery {
  return { ...delivery, inFlight: version, sentMs: now }
}

/** The agent has what is current without having been sent it; later changes start from there. */
export function adopted(delivery: Delivery, version: PlanVersion): Delivery {
  if (delivery.version === version && delivery.change === undefined) return delivery
  const { change: _, ...rest } = delivery
  return { ...rest, version }
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
