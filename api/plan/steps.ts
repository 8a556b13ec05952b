/**
 * Work in steps, each of them short: whoever has other things to do leaves it alone in between (pace/slices.ts). What it
 * comes to does not depend on that.
 */
export type Steps<Result> = Generator<undefined, Result, undefined>

/** All of it, without a pause. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
