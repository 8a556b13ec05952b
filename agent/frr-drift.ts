/**
 * Notices that somebody else changed FRR's configuration. FRR tells nobody when a line comes or goes, so what it would
 * save is read now and then and compared with what is known; a pass then puts it right.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Frr } from './frr/frr.ts'

export interface DriftOptions {
  /** Time between two looks. @default 5000 */
  readonly everyMs?: number
}

/** A look may take a three-hundredth of the time: with hundreds of VRFs FRR needs a while to print its configuration. */
const REST = 300
const LONGEST_MS = 30_000

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
  { everyMs = 5000 }: DriftOptions = {},
): Promise<void> {
  let before = Infinity
  while (!signal.aborted) {
    const began = performance.now()
    // A daemon that goes away is told by its socket.
    if (frr.connected && (await frr.drifted().catch(() => false))) changed()
    const took = performance.now() - began
    await sleep(restMs(took, before, everyMs), undefined, { signal }).catch(() => undefined)
    before = took
  }
}
