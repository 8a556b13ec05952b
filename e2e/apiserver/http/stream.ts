/** A watch as it goes over the wire: one JSON object a line, for as long as the client stays and its timeout lets it. */
import type { ServerResponse } from 'node:http'
import type { Loss } from '../faults/watches.ts'
import type { Fields, KubeObject } from '../object.ts'
import { problems } from '../problem.ts'
import { beginning, bookmarkEvent, seen, type WatchEvent, type WatchRequest } from '../store/watch.ts'
import type { Store } from '../store/store.ts'

export interface StreamOptions {
  readonly request: WatchRequest
  /** apiVersion and kind, for bookmarks. */
  readonly kind: Fields
  readonly bookmarks: boolean
  readonly bookmarkMs: number
  readonly timeoutMs: number
  /** As the client wants objects: tables, or as they are. */
  readonly shape: (object: Fields | KubeObject) => unknown
  readonly sent: (bytes: number) => void
  /** Resets the connection. */
  readonly reset: () => void
}

/** Begins the answer; the returned function is what can befall the watch. */
export function stream(store: Store, response: ServerResponse, options: StreamOptions): (how: Loss) => void {
  const { request, kind, bookmarks, shape, sent } = options
  let mute = false
  const write = ({ type, object }: WatchEvent): void => {
    if (mute || response.writableEnded) return
    const line = `${JSON.stringify({ type, object: type === 'ERROR' || type === 'BOOKMARK' ? object : shape(object) })}\n`
    sent(line.length)
    response.write(line)
  }
  const end = (): void => {
    stop()
    if (!mute) response.end()
  }
  const bookmark = (): void => {
    if (bookmarks) write(bookmarkEvent(kind, store.revision))
  }
  const stopListening = store.onChange((change) => {
    const event = seen(change, request)
    if (event) write(event)
  })
  const beat = setInterval(bookmark, options.bookmarkMs)
  const timeout = setTimeout(() => {
    bookmark()
    end()
  }, options.timeoutMs)
  const stop = (): void => {
    stopListening()
    clearInterval(beat)
    clearTimeout(timeout)
  }
  response.once('close', stop)

  response.writeHead(200, { 'content-type': 'application/json' })
  response.flushHeaders()
  for (const event of beginning(store, request, kind)) {
    write(event)
    if (event.type === 'ERROR') end()
  }
  return (how) => {
    if (how === 'end') return end()
    if (how === 'mute') {
      mute = true
      return stop()
    }
    if (how === 'drop') return stop()
    if (how === 'gone') {
      write({ type: 'ERROR', object: problems.tooOld(request.since ?? 0, store.revision).status })
      return end()
    }
    stop()
    options.reset()
  }
}
