/** Does operations one after the other, and says which failed and which had to wait for those. */
import { setImmediate } from 'node:timers/promises'
import { KernelError } from './kernel-error.ts'
import { keyOf } from './objects.ts'
import type { KernelFailure, Operation } from './operation.ts'

/** How long the event loop may be kept from others. */
const TURN_MS = 5

/**
 * `failed` has the keys of objects whose operations failed before, and takes up those that fail now. Work that is done
 * stays done, whatever fails later. Stops between operations when `signal` says so.
 */
export async function apply(
  operations: readonly Operation[],
  perform: (operation: Operation) => void,
  failed: Map<string, KernelFailure>,
  signal?: AbortSignal,
): Promise<readonly KernelFailure[]> {
  const failures: KernelFailure[] = []
  let turn = performance.now()
  for (const operation of operations) {
    if (signal?.aborted === true) break
    const failure = attempt(operation, perform, failed)
    if (failure !== undefined) {
      failures.push(failure)
      const key = keyOf(operation.object)
      if (!failed.has(key) && operation.do !== 'delete') failed.set(key, failure)
    }
    if (performance.now() - turn > TURN_MS) {
      await setImmediate()
      turn = performance.now()
    }
  }
  return failures
}

function attempt(
  operation: Operation,
  perform: (operation: Operation) => void,
  failed: ReadonlyMap<string, KernelFailure>,
): KernelFailure | undefined {
  if (operation.refused !== undefined) return { for: operation.for, ...operation.refused }
  const needed = operation.do === 'create' ? operation.after : [keyOf(operation.object), ...operation.after]
  const culprit = needed.map((key) => failed.get(key)).find((failure) => failure !== undefined)
  if (culprit !== undefined) {
    const same = culprit.for.kind === operation.for.kind && culprit.for.name === operation.for.name
    const whose = same ? '' : ` of ${culprit.for.kind}/${culprit.for.name}`
    const message = `${operation.text} waits for what failed before it${whose}: ${culprit.message}`
    return { for: operation.for, reason: 'Waiting', message, permanent: false }
  }
  try {
    perform(operation)
    return undefined
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (error instanceof KernelError)
      return { for: operation.for, reason: error.code, message: text, permanent: error.permanent }
    return { for: operation.for, reason: 'KernelRefused', message: `${operation.text}: ${text}`, permanent: false }
  }
}
