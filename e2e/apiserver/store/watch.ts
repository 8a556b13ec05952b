/**
 * One watch: from a revision on, what a selector sees of the changes of a resource.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
import type { Fields, KubeObject } from '../object.ts'
import { problems } from '../problem.ts'
import type { Selects } from './select.ts'
import type { Change, Store } from './store.ts'

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: Fields | KubeObject
}

export interface WatchRequest {
  readonly resource: string
  readonly namespace: string | undefined
  readonly selects: Selects
  /** Absent or 0: begins with what is there now. */
  readonly since?: number
  /** The `sendInitialEvents` of a streaming list: what is there now, then a bookmark that says so. */
  readonly initial?: boolean
}

/** What the watch sees of a change: an object that comes into the selection is added, one that leaves it is deleted. */
export function seen(change: Change, { resource, namespace, selects }: WatchRequest): WatchEvent | undefined {
  if (change.resource !== resource) return undefined
  if (namespace !== undefined && change.object.metadata.namespace !== namespace) return undefined
  const is = change.type !== 'DELETED' && selects(change.object)
  const was = change.before !== undefined && selects(change.before)
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object: change.object }
  if (!was) return undefined
  // The last state that was selected, at the revision at which it left.
  const { resourceVersion = '' } = change.object.metadata
  const last = change.before ?? change.object
  return { type: 'DELETED', object: { ...last, metadata: { ...last.metadata, resourceVersion } } }
}

/** What a watch begins with, before anything new happens. */
export function beginning(store: Store, request: WatchRequest, bookmark: Fields): readonly WatchEvent[] {
  const { since = 0 } = request
  if (request.initial === true || since === 0) {
    const there = store
      .list(request.resource)
      .filter((each) => request.namespace === undefined || each.metadata.namespace === request.namespace)
      .filter(request.selects)
      .map((object): WatchEvent => ({ type: 'ADDED', object }))
    return request.initial === true ? [...there, bookmarkEvent(bookmark, store.revision, true)] : there
  }
  const changes = store.since(since)
  if (!changes) return [{ type: 'ERROR', object: problems.tooOld(since, store.compacted).status }]
  return changes.flatMap((change) => seen(change, request) ?? [])
}

/** "Everything up to here has been sent." */
export function bookmarkEvent(kind: Fields, revision: number, initialEnd = false): WatchEvent {
  const annotations = initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  return {
    type: 'BOOKMARK',
    object: { ...kind, metadata: { resourceVersion: String(revision), creationTimestamp: null, ...annotations } },
  }
}
