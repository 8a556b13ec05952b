/**
 * Notices that somebody else changed FRR's configuration. FRR tells nobody when a line comes or goes, so what it would
 * save is read now and then and compared with what is known; a pass then puts it right.
 */
import { monotonicClock, type Clock } from '../pace/clock.ts'
import type { Frr } from './frr/frr.ts'

export interface DriftOptions {
  /** Time between two looks. @default 5000 */
  readonly everyMs?: number
  readonly clock?: Clock
}

/** A look may take a six-hundredth of the time: with hundreds of VRFs FRR needs a while to print its configuration. */
const REST = 600
const LONGEST_MS = 60_000

/**
 * How long to wait after a look, all in milliseconds. Of the last two looks the quicker one counts: one that was slow
 * because the machine was busy must not put off the next one for long.
 */
export function restMs(tookMs: number, beforeMs: number, everyMs: number): number {
  return Math.max(everyMs, Math.min(REST * Math.min(tookMs, beforeMs), LONGEST_MS))
}

/** Until the signal aborts. `changed` is called after each look that saw what somebody else did. */
export async function watchDrift(
  frr: Pick<Frr, 'connected' | 'drifted'>,
  changed: () => void,
  signal: AbortSignal,
  { everyMs = 5000, clock = monotonicClock }: DriftOptions = {},
): Promise<void> {
  let before = Infinity
  while (!signal.aborted) {
    const began = clock.now()
    // A daemon that goes away is told by its socket.
    if (frr.connected && (await frr.drifted().catch(() => false))) changed()
    const took = clock.now() - began
    await clock.wait(restMs(took, before, everyMs), signal)
    before = took
  }
}
