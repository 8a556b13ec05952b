/** When everything is looked at anew, for what no event has told. Pure. */

/** A look at everything, on the monotonic clock. */
export interface Look {
  readonly endMs: number
  readonly tookMs: number
}

/** A look may take this part of the time: with thousands of VNIs it takes a while. */
const PART = 1000

/** How long until the next look, `seconds` after the last, or later where that one took long. */
export function resyncMs(seconds: number, { endMs, tookMs }: Look, nowMs: number): number {
  return Math.max(0, endMs + Math.max(seconds * 1000, PART * tookMs) - nowMs)
}
