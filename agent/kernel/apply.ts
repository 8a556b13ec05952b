/** Does operations in their order, many at once where they may be, and says which failed and which had to wait for those. */
import { setImmediate } from 'node:timers/promises'
import { KernelError } from './kernel-error.ts'
import { keyOf } from './objects.ts'
import type { KernelFailure, Operation } from './operation.ts'
import type { Outcome } from './talk.ts'

/** How long the event loop may be kept from others, about. */
const TURN_MS = 5
/** Operations done at once: to begin with, at least and at most; of those that the kernel does as one. */
const FIRST = 16
const LEAST = 8
const MOST = 256
const MOST_AS_ONE = 1024

export interface Performer {
  /** Whether the second may be done at once with the first, which stands before it. */
  together(first: Operation, second: Operation): boolean
  /** Whether many like it cost hardly more than one: they should not be parted. */
  asOne(operation: Operation): boolean
  /** Does them; one outcome an operation, in order. */
  perform(operations: readonly Operation[]): readonly Outcome[]
}

export interface ApplyOptions {
  /** Stops between operations. */
  readonly signal?: AbortSignal | undefined
  /** Told how many operations were finished, in whatever way. What comes next waits for it. */
  readonly done?: ((count: number) => unknown) | undefined
}

/**
 * `failed` has the keys of objects whose operations failed before, and takes up those that fail now. Work that is done
 * stays done, whatever fails later.
 */
export async function apply(
  operations: readonly Operation[],
  performer: Performer,
  failed: Map<string, KernelFailure>,
  { signal, done = () => {} }: ApplyOptions = {},
): Promise<readonly KernelFailure[]> {
  const failures: KernelFailure[] = []
  let most = FIRST
  for (let next = 0; next < operations.length;) {
    if (signal?.aborted === true) break
    const asOne = performer.asOne(operations[next] as Operation)
    const run = runFrom(operations, next, asOne ? MOST_AS_ONE : most, performer)
    const begun = performance.now()
    for (const failure of doAll(run, performer, failed)) failures.push(failure)
    const tookMs = performance.now() - begun
    next += run.length
    await done(run.length)
    // More at once next time, or fewer: no turn should be much longer than it may.
    if (asOne) most = FIRST
    else if (tookMs > 2 * TURN_MS) most = Math.max(LEAST, most >> 1)
    else if (tookMs < TURN_MS && run.length === most) most = Math.min(MOST, most << 1)
    await setImmediate()
  }
  return failures
}

/** The operations from `next` on that may be done at once. One that needs another comes after it. */
function runFrom(operations: readonly Operation[], next: number, most: number, performer: Performer): Operation[] {
  const run: Operation[] = []
  const keys = new Set<string>()
  for (const operation of operations.slice(next, next + most)) {
    const [first] = run
    if (first !== undefined && !performer.together(first, operation)) break
    const key = keyOf(operation.object)
    if (keys.has(key) || operation.after.some((needed) => keys.has(needed))) break
    keys.add(key)
    run.push(operation)
  }
  return run
}

function doAll(
  run: readonly Operation[],
  performer: Performer,
  failed: Map<string, KernelFailure>,
): readonly KernelFailure[] {
  const failures: KernelFailure[] = []
  const possible: Operation[] = []
  const fail = (operation: Operation, failure: KernelFailure): void => {
    failures.push(failure)
    const key = keyOf(operation.object)
    if (!failed.has(key) && operation.do !== 'delete') failed.set(key, failure)
  }
  for (const operation of run) {
    const obstacle = obstacleOf(operation, failed)
    if (obstacle === undefined) possible.push(operation)
    else fail(operation, obstacle)
  }
  if (possible.length === 0) return failures
  performer.perform(possible).forEach((outcome, at) => {
    const operation = possible[at]
    if (!outcome.done && operation !== undefined) fail(operation, failureOf(operation, outcome.error))
  })
  return failures
}

/** Why an operation is not even tried. */
function obstacleOf(operation: Operation, failed: ReadonlyMap<string, KernelFailure>): KernelFailure | undefined {
  if (operation.refused !== undefined) return { for: operation.for, ...operation.refused }
  const needed = operation.do === 'create' ? operation.after : [keyOf(operation.object), ...operation.after]
  const culprit = needed.map((key) => failed.get(key)).find((failure) => failure !== undefined)
  if (culprit === undefined) return undefined
  const same = culprit.for.kind === operation.for.kind && culprit.for.name === operation.for.name
  const whose = same ? '' : ` of ${culprit.for.kind}/${culprit.for.name}`
  const message = `${operation.text} waits for what failed before it${whose}: ${culprit.message}`
  return { for: operation.for, reason: 'Waiting', message, permanent: false }
}

function failureOf(operation: Operation, error: unknown): KernelFailure {
  const text = error instanceof Error ? error.message : String(error)
  if (error instanceof KernelError)
    return { for: operation.for, reason: error.code, message: text, permanent: error.permanent }
  return { for: operation.for, reason: 'KernelRefused', message: `${operation.text}: ${text}`, permanent: false }
}
