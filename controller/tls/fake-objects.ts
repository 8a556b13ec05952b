/** For tests: as much of an API server as certificates need. */
import type { JsonPatchOperation, KubeObjects } from './kube-objects.ts'

interface Kept {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string }
}

export class FakeObjects implements KubeObjects {
  readonly objects = new Map<string, object>()
  readonly writes: string[] = []
  /** Calls reject while it is set. */
  down = false
  #version = 0

  async get(path: string): Promise<unknown> {
    await this.#turn()
    return structuredClone(this.objects.get(path))
  }

  async create(collection: string, object: Kept): Promise<boolean> {
    await this.#turn()
    const path = `${collection}/${object.metadata.name}`
    if (this.objects.has(path)) return false
    this.#put('create', path, object)
    return true
  }

  async replace(path: string, object: Kept): Promise<boolean> {
    await this.#turn()
    const kept = this.objects.get(path) as Kept | undefined
    if (kept?.metadata.resourceVersion !== object.metadata.resourceVersion) return false
    this.#put('replace', path, object)
    return true
  }

  async apply(path: string, object: Kept): Promise<void> {
    await this.#turn()
    this.#put('apply', path, object)
  }

  async patch(path: string, operations: readonly JsonPatchOperation[]): Promise<boolean> {
    await this.#turn()
    const object = structuredClone(this.objects.get(path)) as Kept | undefined
    if (!object) return false
    for (const { op, path: at, value } of operations) {
      const keys = at.split('/').slice(1)
      const last = keys.pop() ?? ''
      const parent = keys.reduce<Record<string, unknown>>(
        (each, key) => each[key] as Record<string, unknown>,
        object as unknown as Record<string, unknown>,
      )
      if (op === 'test' && parent[last] !== value) return false
      if (op !== 'test') parent[last] = value
    }
    this.#put('patch', path, object)
    return true
  }

  /** Calls of several replicas take turns. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.down) throw new Error('connect ECONNREFUSED')
  }

  #put(verb: string, path: string, object: Kept): void {
    this.writes.push(`${verb} ${path.slice(path.lastIndexOf('/') + 1)}`)
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) }
    this.objects.set(path, structuredClone({ ...object, metadata }))
  }
}
