/**
 * Long work in slices, so that a process goes on answering while it thinks: the work is a generator that yields after each
 * short step, and between two slices everything else that waits has its turn.
 */
import { setImmediate as turn } from 'node:timers/promises'

export interface SlicesOptions {
  /** Ends the work between two steps. */
  readonly signal?: AbortSignal
  /** After so long the others have their turn. @default 10 */
  readonly sliceMs?: number
  /** Told of each slice how long it took. */
  readonly spent?: (ms: number) => void
  /** Milliseconds of a clock that never goes back. @default performance.now */
  readonly now?: () => number
}

const SLICE_MS = 10

/** What the work comes to. Begins at once. @throws the signal's reason; what the work throws */
export async function inSlices<Result>(
  steps: Generator<undefined, Result, undefined>,
  { signal, sliceMs = SLICE_MS, spent, now = () => performance.now() }: SlicesOptions = {},
): Promise<Result> {
  for (;;) {
    const startMs = now()
    for (let nowMs = startMs; nowMs < startMs + sliceMs; nowMs = now()) {
      signal?.throwIfAborted()
      const step = steps.next()
      if (step.done !== true) continue
      spent?.(now() - startMs)
      return step.value
    }
    spent?.(now() - startMs)
    await turn()
  }
}
