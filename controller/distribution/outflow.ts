/** Messages down a stream, one after the other: the next one is made when the last one was taken. */
import type { Call } from './ending.ts'

/** The agent did not take a message in time. */
export class StalledError extends Error {
  override readonly name = 'StalledError'
}

/** Done when the message has gone out: HTTP/2's flow control let it, and the socket took it. @throws StalledError; the signal's reason. */
export async function write(call: Call, message: Buffer, stallMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const abort = (): void => reject(signal.reason as Error)
  const timer = setTimeout(() => reject(new StalledError('the agent does not read')), stallMs)
  signal.addEventListener('abort', abort, { once: true })
  call.write(message, (error?: Error | null) => (error ? reject(error) : resolve()))
  try {
    await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
