/**
 * When authorities and what they sign are renewed: a pure function of the authorities there are and the time.
 *
 *     0                         2/3    3/4               1     of an authority's life
 *     |--- signs ---------------------->|                |
 *     |--- trusted ------------------------------------->|
 *                                |--- its successor is trusted ...
 *                                       |--- its successor signs ...
 *
 * Between 2/3 and 3/4 the new one is spread to everyone who has to trust it, before it signs anything. What the old one
 * signed lives a quarter of its life at most, so it ends before the old one does, and nobody has to remember what it was.
 */
import { validityOf, type Authority, type Validity } from './authority.ts'

export interface Lifetimes {
  readonly authorityMs: number
  /** At most a quarter of the authority's. */
  readonly servingMs: number
  /** Of a node's certificate; at most a quarter of the authority's. */
  readonly clientMs: number
}

const DAY_MS = 86_400_000

/** In Kubernetes everyone is told by the controller; nobody has to do anything. */
export const clusterLifetimes: Lifetimes = {
  authorityMs: 365 * DAY_MS,
  servingMs: 30 * DAY_MS,
  clientMs: 90 * DAY_MS,
}

/** Outside a person carries certificates to machines: once a year, and a new authority within four months. */
export const machineLifetimes: Lifetimes = {
  authorityMs: 4 * 365 * DAY_MS,
  servingMs: 30 * DAY_MS,
  clientMs: 365 * DAY_MS,
}

const RENEWED_AT = 2 / 3
const SPREAD_FOR = 1 / 12

/** With less than this left an authority hands over even to one that nobody may know yet: the alternative is none. */
const LAST_MS = DAY_MS

export interface RotationPlan {
  /** Oldest first; not those that have expired. */
  readonly authorities: readonly Authority[]
  /** There has to be a new one, now. */
  readonly create: boolean
  /** Undefined only where there is none that is valid now. */
  readonly signer: Authority | undefined
}

export function planRotation(authorities: readonly Authority[], nowMs: number): RotationPlan {
  const alive = authorities
    .map((authority) => ({ authority, ...validityOf(authority.cert) }))
    .filter((each) => each.notAfterMs > nowMs)
    .sort((a, b) => a.notBeforeMs - b.notBeforeMs || a.notAfterMs - b.notAfterMs)
  // One of the future was made by a clock that was wrong. It is trusted, and counts when its time has come.
  const valid = alive.filter((each) => each.notBeforeMs <= nowMs)
  const newest = valid.at(-1)
  const ready = valid.filter((each, i) => {
    const spread = nowMs >= each.notBeforeMs + SPREAD_FOR * (each.notAfterMs - each.notBeforeMs)
    return spread || valid.slice(0, i).every((before) => before.notAfterMs - nowMs < LAST_MS)
  })
  return {
    authorities: alive.map((each) => each.authority),
    create: newest === undefined || isDue(newest, nowMs),
    signer: ready.at(-1)?.authority,
  }
}

/** Whether two thirds of a life are over: time to renew, with a third left to try again. */
export function isDue({ notBeforeMs, notAfterMs }: Validity, nowMs: number): boolean {
  return nowMs >= notBeforeMs + RENEWED_AT * (notAfterMs - notBeforeMs)
}
