/** Which resources are served now: the built-in ones and those of the CRDs in the store. */
import type { Store } from '../store/store.ts'
import { builtins } from './builtin.ts'
import { resourcesOf } from './crd.ts'
import type { Resource } from './resource.ts'

export class Registry {
  readonly #custom = new Map<string, readonly Resource[]>()

  constructor(store: Store) {
    for (const crd of store.list('customresourcedefinitions.apiextensions.k8s.io'))
      this.#custom.set(crd.metadata.name, resourcesOf(crd))
    store.onChange(({ resource, type, object }) => {
      if (resource !== 'customresourcedefinitions.apiextensions.k8s.io') return
      if (type === 'DELETED') this.#custom.delete(object.metadata.name)
      else this.#custom.set(object.metadata.name, resourcesOf(object))
    })
  }

  all(): readonly Resource[] {
    return [...builtins, ...[...this.#custom.values()].flat()]
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.all().find((each) => each.group === group && each.version === version && each.plural === plural)
  }

  /** The resource of a kind, for owner references and files. */
  ofKind(apiVersion: string, kind: string): Resource | undefined {
    const [version, group = ''] = apiVersion.split('/').toReversed()
    return this.all().find((each) => each.group === group && each.version === version && each.kind === kind)
  }
}
