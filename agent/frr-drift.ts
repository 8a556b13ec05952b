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

/** A look may take 1 % of the time: with hundreds of VRFs FRR needs a while to print its configuration. */
const REST = 100
/** A look that was slow because the machine is busy must not put off the next one for long. */
const LONGEST_MS = 15_000

/** Until the signal aborts. `changed` is called after each look that saw what somebody else did. */
export async function watchDrift(
  frr: Pick<Frr, 'connected' | 'drifted'>,
  changed: () => void,
  signal: AbortSignal,
  { everyMs = 5000 }: DriftOptions = {},
): Promise<void> {
  while (!signal.aborted) {
    const began = performance.now()
    // A daemon that goes away is told by its socket.
    if (frr.connected && (await frr.drifted().catch(() => false))) changed()
    const rest = Math.min(REST * (performance.now() - began), LONGEST_MS)
    await sleep(Math.max(everyMs, rest), undefined, { signal }).catch(() => undefined)
  }
}
