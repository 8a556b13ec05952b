/** Waiting for something to come true, in place of sleeping. */
import { setTimeout as pause } from 'node:timers/promises'

export interface EventuallyOptions {
  /** Generous: a guest may get a tenth of a busy processor. @default 90000 */
  readonly timeoutMs?: number
  /** Time between two looks. @default 200 */
  readonly everyMs?: number
}

/** What was waited for did not come true; the message says what the last look saw. */
export class NeverError extends Error {
  readonly code = 'NEVER'
}

/**
 * Calls `look` until it neither throws nor gives false, null or undefined, and gives its value.
 *
 *     await eventually('hostred reaches node1', async () => (await hostred.ping('10.1.1.1')).received === 1)
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T> | T,
  options: EventuallyOptions = {},
): Promise<NonNullable<T>> {
  const timeoutMs = options.timeoutMs ?? 90_000
  const started = performance.now()
  for (;;) {
    let cause: unknown
    try {
      const value = await look()
      if (value !== false && value !== null && value !== undefined) return value
    } catch (error) {
      cause = error
    }
    if (performance.now() - started > timeoutMs) {
      const saw = cause instanceof Error ? `: ${cause.message}` : ''
      throw new NeverError(`not within ${timeoutMs / 1000} s: ${what}${saw}`, { cause })
    }
    await pause(options.everyMs ?? 200)
  }
}

/** Calls `look` again and again for a time and expects that it stays true all along. */
export async function consistently(
  what: string,
  look: () => Promise<boolean> | boolean,
  options: { readonly forMs: number; readonly everyMs?: number },
): Promise<void> {
  const started = performance.now()
  do {
    if (!(await look())) throw new NeverError(`did not stay true for ${options.forMs / 1000} s: ${what}`)
    await pause(options.everyMs ?? 200)
  } while (performance.now() - started < options.forMs)
}
