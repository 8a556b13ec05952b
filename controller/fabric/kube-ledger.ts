/**
 * The ledger in the ConfigMap `nodeleaf-numbers`. It is written only over what was read: a leader that does not know yet
 * that it was replaced cannot write over what its successor wrote.
 */
import { isNotFound } from '../kube/api-error.ts'
import type { Api } from '../kube/api.ts'
import type { KubeObject, ResourceType } from '../kube/object.ts'

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

const configMaps: ResourceType = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }
const NAME = 'nodeleaf-numbers'
const KEY = 'ledger.json'

export class KubeLedger {
  readonly #api: Api
  readonly #namespace: string
  /** As it was read or written last; undefined: there is none. */
  #stored: ConfigMap | undefined

  constructor(api: Api, namespace: string) {
    this.#api = api
    this.#namespace = namespace
  }

  /** @throws ApiError */
  async load(signal: AbortSignal): Promise<string | undefined> {
    try {
      this.#stored = await this.#api.get<ConfigMap>({ ...this.#at, name: NAME }, { signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
      this.#stored = undefined
    }
    return this.#stored?.data?.[KEY]
  }

  /** @throws ApiError; `Conflict` when somebody else wrote since it was loaded */
  async save(text: string, signal: AbortSignal): Promise<void> {
    const metadata = {
      name: NAME,
      namespace: this.#namespace,
      labels: { 'app.kubernetes.io/name': 'nodeleaf', 'app.kubernetes.io/managed-by': 'nodeleaf-controller' },
    }
    const before = this.#stored
    const wanted = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { ...before?.data, [KEY]: text } }
    this.#stored =
      before === undefined
        ? await this.#api.create<ConfigMap>(this.#at, wanted, { signal })
        : await this.#api.replace<ConfigMap>(
            { ...this.#at, name: NAME },
            { ...wanted, metadata: { ...before.metadata, ...metadata } },
            { signal },
          )
  }

  get #at() {
    return { type: configMaps, namespace: this.#namespace }
  }
}
