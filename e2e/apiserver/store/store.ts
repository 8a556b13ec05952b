/** What etcd is to an API server: objects by key, one revision for all, a bounded history of changes. */
import type { KubeObject } from '../object.ts'

export interface Change {
  readonly revision: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** As `keyOf` has it: `l3vnis.nodeleaf.io`. */
  readonly resource: string
  readonly object: KubeObject
  readonly before?: KubeObject
}

export interface StoreOptions {
  /** Changes kept for watches that begin in the past. @default 20000 */
  readonly history?: number
}

export class Store {
  readonly #objects = new Map<string, Map<string, KubeObject>>()
  readonly #listeners = new Set<(change: Change) => void>()
  readonly #most: number
  #history: Change[] = []
  #revision = 1
  #compacted = 0

  constructor({ history = 20_000 }: StoreOptions = {}) {
    this.#most = history
  }

  get revision(): number {
    return this.#revision
  }

  /** Watches and consistent lists cannot begin before this. */
  get compacted(): number {
    return this.#compacted
  }

  get(resource: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#objects.get(resource)?.get(`${namespace ?? ''}/${name}`)
  }

  resources(): readonly string[] {
    return [...this.#objects.keys()]
  }

  /** All of a resource, in the order of their keys, now or at a revision that is not compacted. */
  list(resource: string, revision = this.#revision): readonly KubeObject[] {
    const objects = new Map(this.#objects.get(resource))
    const later = revision < this.#revision ? this.#history.toReversed() : []
    for (const change of later) {
      if (change.revision <= revision) break
      if (change.resource !== resource) continue
      if (change.before) objects.set(key(change.object), change.before)
      else objects.delete(key(change.object))
    }
    return [...objects.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1))
  }

  /** Creates or replaces; gives the object with its revision. */
  put(resource: string, object: KubeObject): KubeObject {
    const before = this.get(resource, object.metadata.namespace, object.metadata.name)
    const revision = ++this.#revision
    const stored = revised(object, revision)
    let objects = this.#objects.get(resource)
    if (!objects) this.#objects.set(resource, (objects = new Map()))
    objects.set(key(stored), stored)
    this.#record({ revision, type: before ? 'MODIFIED' : 'ADDED', resource, object: stored, ...(before && { before }) })
    return stored
  }

  remove(resource: string, before: KubeObject): KubeObject {
    this.#objects.get(resource)?.delete(key(before))
    const revision = ++this.#revision
    const object = revised(before, revision)
    this.#record({ revision, type: 'DELETED', resource, object, before })
    return object
  }

  /** The changes after a revision; undefined when that is compacted. */
  since(revision: number): readonly Change[] | undefined {
    if (revision < this.#compacted) return undefined
    const first = this.#history.findIndex((each) => each.revision > revision)
    return first === -1 ? [] : this.#history.slice(first)
  }

  /** Forgets changes up to a revision: watches from before it end with 410. */
  compact(revision = this.#revision): void {
    this.#compacted = Math.max(this.#compacted, revision)
    this.#history = this.#history.filter((each) => each.revision > this.#compacted)
  }

  /** Lets the revision jump, as writes of others do. */
  advance(to: number): void {
    this.#revision = Math.max(this.#revision, to)
  }

  /** Takes a change that was recorded before, from a journal. */
  replay({ revision, type, resource, object }: Omit<Change, 'before'>): void {
    this.#revision = revision - 1
    if (type === 'DELETED') this.remove(resource, object)
    else this.put(resource, object)
  }

  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #record(change: Change): void {
    this.#history.push(change)
    if (this.#history.length > 2 * this.#most) this.compact(this.#history[this.#most]?.revision)
    for (const listener of this.#listeners) listener(change)
  }
}

const key = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`

const revised = (object: KubeObject, revision: number): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(revision) },
})
