/** Time that can be passed in: the machine's monotonic clock in a program, `manual-clock.ts` in a test. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds on a clock that never goes back; its zero means nothing. */
  now(): number
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

export const monotonicClock: Clock = {
  now: () => performance.now(),
  wait: async (ms, signal) => {
    if (signal.aborted) return
    try {
      await sleep(ms, undefined, { signal })
    } catch {
      // Aborted: the caller looks at the signal.
    }
  },
}
