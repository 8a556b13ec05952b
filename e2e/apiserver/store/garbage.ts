/** The garbage collector of kube-controller-manager: what only gone owners owned goes after them, in the background. */
import type { KubeObject } from '../object.ts'
import type { Store } from './store.ts'

/** Collects from now on; the returned function stops it. */
export function collectGarbage(store: Store): () => void {
  return store.onChange(({ type, object }) => {
    const { uid } = object.metadata
    if (type === 'DELETED' && uid !== undefined) setImmediate(collect, store, uid)
  })
}

function collect(store: Store, gone: string): void {
  const uids = new Set(store.resources().flatMap((each) => store.list(each).map(({ metadata }) => metadata.uid)))
  const orphaned = ({ metadata: { ownerReferences = [] } }: KubeObject): boolean =>
    ownerReferences.some(({ uid }) => uid === gone) && ownerReferences.every(({ uid }) => !uids.has(uid))
  for (const resource of store.resources())
    for (const each of store.list(resource)) if (orphaned(each)) store.remove(resource, each)
}
