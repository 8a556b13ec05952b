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
  /** Milliseconds of a clock that never goes back. @default performance.now */
  readonly now?: () => number
}

const SLICE_MS = 10

/** What the work comes to. Begins at once. @throws the signal's reason; what the work throws */
export async function inSlices<Result>(
  steps: Generator<undefined, Result, undefined>,
  { signal, sliceMs = SLICE_MS, now = () => performance.now() }: SlicesOptions = {},
): Promise<Result> {
  for (let endMs = now() + sliceMs; ;) {
    signal?.throwIfAborted()
    const step = steps.next()
    if (step.done === true) return step.value
    if (now() < endMs) continue
    await turn()
    endMs = now() + sliceMs
  }
}
