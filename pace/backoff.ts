/** How long to wait before the next attempt: longer after each failure, and never in step with others. Pure. */

export interface BackoffOptions {
  readonly firstMs: number
  readonly longestMs: number
}

/**
 * Milliseconds before the next attempt after `failures` failures in a row (1 = the first): doubled each time, then
 * spread over 50 to 100 % of that by `random` (0 <= random < 1), so that those who failed together do not come back
 * together.
 */
export function backoffMs(failures: number, options: BackoffOptions, random: number): number {
  const full = Math.min(options.longestMs, options.firstMs * 2 ** Math.min(30, Math.max(0, failures - 1)))
  return full * (0.5 + random / 2)
}
