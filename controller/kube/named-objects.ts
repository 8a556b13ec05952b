/**
 * Single objects of a kind that are watched by their names, and nothing else of that kind is read: Secrets. Which names
 * may change at any time. RBAC can grant `list` and `watch` of a single name too:
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
 */
import type { KubeObject } from './object.ts'
import { Reflector, type ReflectorOptions } from './reflector.ts'

export interface NamedObjectsOptions<T extends KubeObject> extends Omit<
  ReflectorOptions<T>,
  'onChange' | 'fieldSelector' | 'labelSelector'
> {
  /** Called when the object of that name came, changed, or went, and when it is first known that there is none. */
  readonly onChange: (name: string) => void
}

export type Known<T> =
  | { readonly type: 'there'; readonly object: T }
  | { readonly type: 'missing' }
  /** Not watched, or not listed yet. */
  | { readonly type: 'unknown' }

interface Watched<T extends KubeObject> {
  readonly reflector: Reflector<T>
  /** The last attempt to read it was refused. */
  readonly forbidden: () => boolean
  readonly stop: AbortController
  readonly running: Promise<void>
}

export class NamedObjects<T extends KubeObject> {
  readonly #options: NamedObjectsOptions<T>
  readonly #watched = new Map<string, Watched<T>>()

  constructor(options: NamedObjectsOptions<T>) {
    this.#options = options
  }

  get(name: string): Known<T> {
    const watched = this.#watched.get(name)
    if (watched === undefined || !watched.reflector.synced) return { type: 'unknown' }
    const [object] = watched.reflector.objects.values()
    return object === undefined ? { type: 'missing' } : { type: 'there', object }
  }

  /** Whether everything that is watched was read at least once, or may not be read. */
  get synced(): boolean {
    return [...this.#watched.values()].every(({ reflector, forbidden }) => reflector.synced || forbidden())
  }

  /** From now on these names, no others. What is no longer watched is forgotten at once. */
  watch(names: ReadonlySet<string>): void {
    for (const [name, { stop }] of this.#watched) {
      if (names.has(name)) continue
      this.#watched.delete(name)
      stop.abort()
    }
    for (const name of names) if (!this.#watched.has(name)) this.#begin(name)
  }

  /** Ends all watches. */
  async close(): Promise<void> {
    const running = [...this.#watched.values()].map((watched) => watched.running)
    this.watch(new Set())
    await Promise.all(running)
  }

  #begin(name: string): void {
    const stop = new AbortController()
    let told = false
    let forbidden = false
    const reflector = new Reflector<T>({
      ...this.#options,
      fieldSelector: `metadata.name=${name}`,
      observe: (what, of) => {
        if (what.type === 'failed') forbidden = what.reason === 'Forbidden'
        this.#options.observe?.(what, of)
      },
      onChange: (change) => {
        if (stop.signal.aborted || (change.type === 'synced' && told)) return
        if (change.type === 'set' && !reflector.synced) return
        told = true
        this.#options.onChange(name)
      },
    })
    const running = reflector.run(stop.signal)
    this.#watched.set(name, { reflector, forbidden: () => forbidden, stop, running })
  }
}
