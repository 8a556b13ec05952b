/** For tests: as much of an API server as certificates need. */
import type { KubeObject, Target } from '../kube/object.ts'
import type { KubeObjects } from './kube-objects.ts'

export class FakeObjects implements KubeObjects {
  /** By `plural/name`. */
  readonly objects = new Map<string, KubeObject>()
  readonly writes: string[] = []
  /** Calls reject while it is set. */
  down = false
  #version = 0

  async get(at: Target): Promise<KubeObject | undefined> {
    await this.#turn()
    return structuredClone(this.objects.get(keyOf(at)))
  }

  async create(at: Target, object: KubeObject): Promise<boolean> {
    await this.#turn()
    if (this.objects.has(keyOf(at))) return false
    this.put('create', at, object)
    return true
  }

  async replace(at: Target, object: KubeObject): Promise<boolean> {
    await this.#turn()
    const kept = this.objects.get(keyOf(at))
    if (kept === undefined || kept.metadata.resourceVersion !== object.metadata.resourceVersion) return false
    this.put('replace', at, object)
    return true
  }

  async apply(at: Target, fields: object): Promise<void> {
    await this.#turn()
    this.put('apply', at, { ...this.objects.get(keyOf(at)), metadata: { name: at.name }, ...fields })
  }

  put(verb: string, at: Target, object: KubeObject): void {
    this.writes.push(`${verb} ${keyOf(at)}`)
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) }
    this.objects.set(keyOf(at), structuredClone({ ...object, metadata }))
  }

  /** Calls of several replicas take turns. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.down) throw new Error('connect ECONNREFUSED')
  }
}

const keyOf = ({ type, name }: Target): string => `${type.plural}/${name}`
