/** Reads the body of an answer, within a time and a size. */
import type { IncomingMessage } from 'node:http'
import { ApiError } from './api-error.ts'

const LARGEST_BYTES = 512 * 1024 * 1024

/** The whole body as text. @throws ApiError `Timeout` when it is not there within `timeoutMs`. */
export async function textOf(response: IncomingMessage, timeoutMs: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of chunksOf(response, timeoutMs)) {
    bytes += chunk.length
    if (bytes > LARGEST_BYTES)
      throw new ApiError(`the answer is larger than ${LARGEST_BYTES} bytes`, { reason: 'BadAnswer' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Reads a body that nobody wants, so that the connection serves again. @throws ApiError `Timeout` */
export async function drain(response: IncomingMessage, timeoutMs: number): Promise<void> {
  for await (const _ of chunksOf(response, timeoutMs));
}

/** The pieces of a body as they come. @throws ApiError `Timeout` when it has not ended within `timeoutMs`. */
export async function* chunksOf(response: IncomingMessage, timeoutMs: number): AsyncGenerator<Buffer, void, void> {
  const timer = setTimeout(() => {
    const seconds = Math.round(timeoutMs / 100) / 10
    response.destroy(new ApiError(`the answer did not end within ${seconds} s`, { reason: 'Timeout' }))
  }, timeoutMs)
  try {
    for await (const chunk of response) yield chunk as Buffer
  } finally {
    clearTimeout(timer)
  }
}
