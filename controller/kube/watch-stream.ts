/** The body of a watch: one JSON document a line. https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes */
import type { IncomingMessage } from 'node:http'
import { ApiError, type Status } from './api-error.ts'
import { chunksOf } from './body.ts'
import type { KubeObject } from './object.ts'

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly object: Status }

const LONGEST_LINE_BYTES = 64 * 1024 * 1024
const TYPES = new Set<unknown>(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'])

/** @throws ApiError `Timeout` after `deadlineMs`, `BadAnswer` for a line that is cut off or is no event. */
export async function* eventsOf(response: IncomingMessage, deadlineMs: number): AsyncGenerator<WatchEvent, void, void> {
  let rest: Buffer[] = []
  let restBytes = 0
  for await (const chunk of chunksOf(response, deadlineMs)) {
    let from = 0
    // A line is made text only when it is whole, so no character is cut in two.
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...rest, chunk.subarray(from, end)]).toString('utf8')
      rest = []
      restBytes = 0
      from = end + 1
      if (line.trim() !== '') yield eventOf(line)
    }
    if (from === chunk.length) continue
    rest.push(chunk.subarray(from))
    restBytes += chunk.length - from
    if (restBytes > LONGEST_LINE_BYTES) {
      throw new ApiError(`an event of the watch is larger than ${LONGEST_LINE_BYTES} bytes`, { reason: 'BadAnswer' })
    }
  }
  if (restBytes > 0) throw new ApiError('the watch ended in the middle of an event', { reason: 'BadAnswer' })
}

function eventOf(line: string): WatchEvent {
  let event: unknown
  try {
    event = JSON.parse(line)
  } catch {
    event = undefined
  }
  if (!isEvent(event)) throw new ApiError('the watch sent a line that is no event', { reason: 'BadAnswer' })
  return event
}

function isEvent(event: unknown): event is WatchEvent {
  if (typeof event !== 'object' || event === null || !('type' in event) || !('object' in event)) return false
  const { type, object } = event
  if (!TYPES.has(type) || typeof object !== 'object' || object === null) return false
  if (type === 'ERROR') return true
  if (!('metadata' in object) || typeof object.metadata !== 'object' || object.metadata === null) return false
  return 'resourceVersion' in object.metadata && (type === 'BOOKMARK' || 'name' in object.metadata)
}
