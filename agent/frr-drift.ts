/**
 * Notices that somebody else changed FRR's configuration. FRR tells nobody when a line comes or goes, so what it would
 * save is fingerprinted now and then; a pass then compares properly. nodeleaf's own changes cost one empty pass.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Frr } from './frr/frr.ts'

export interface DriftOptions {
  /** Time between two looks. @default 5000 */
  readonly everyMs?: number
}

/** A look may take 5 % of the time: with thousands of VRFs FRR needs a while to print its configuration. */
const REST = 20

/** Until the signal aborts. `changed` is called after each look that saw another configuration than the one before. */
export async function watchDrift(
  frr: Pick<Frr, 'connected' | 'fingerprint'>,
  changed: () => void,
  signal: AbortSignal,
  { everyMs = 5000 }: DriftOptions = {},
): Promise<void> {
  let known: string | undefined
  while (!signal.aborted) {
    const began = performance.now()
    const seen = frr.connected ? await frr.fingerprint().catch(() => undefined) : undefined
    if (seen !== undefined && known !== undefined && seen !== known) changed()
    known = seen ?? known
    const wait = Math.max(everyMs, REST * (performance.now() - began))
    await sleep(wait, undefined, { signal }).catch(() => undefined)
  }
}
