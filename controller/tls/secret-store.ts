/**
 * The Secret `nodeleaf-ca`: `NAME.crt` and `NAME.key` for each authority, where NAME is the serial number of the
 * certificate. Its resourceVersion decides who was first.
 */
import { X509Certificate } from 'node:crypto'
import * as z from 'zod'
import type { Authority } from './authority.ts'
import { checkedAuthority, storeInvalid, type AuthorityStore, type StoredAuthorities } from './authority-store.ts'
import type { Target } from '../kube/object.ts'
import type { KubeObjects } from './kube-objects.ts'

const NAME = 'nodeleaf-ca'
const SECRETS = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }

const secret = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).nullish(),
})

export class SecretStore implements AuthorityStore {
  readonly #objects: KubeObjects
  readonly #at: Target

  constructor(objects: KubeObjects, namespace: string) {
    this.#objects = objects
    this.#at = { type: SECRETS, namespace, name: NAME }
  }

  async read(signal: AbortSignal): Promise<StoredAuthorities | undefined> {
    const found = await this.#objects.get(this.#at, signal)
    if (found === undefined) return undefined
    try {
      const { metadata, data } = secret.parse(found)
      return { authorities: authoritiesOf(data ?? {}), version: metadata.resourceVersion }
    } catch (error) {
      throw storeInvalid(`Secret ${this.#at.namespace}/${NAME}`, error)
    }
  }

  async write(authorities: readonly Authority[], version: string | undefined, signal: AbortSignal): Promise<boolean> {
    const object = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: NAME,
        namespace: this.#at.namespace,
        labels: { 'app.kubernetes.io/name': 'nodeleaf', 'app.kubernetes.io/managed-by': 'nodeleaf-controller' },
        ...(version === undefined ? {} : { resourceVersion: version }),
      },
      type: 'Opaque',
      data: Object.fromEntries(authorities.flatMap(entriesOf)),
    }
    return version === undefined
      ? this.#objects.create(this.#at, object, signal)
      : this.#objects.replace(this.#at, object, signal)
  }
}

function entriesOf({ cert, key }: Authority): [string, string][] {
  const name = new X509Certificate(cert).serialNumber.toLowerCase()
  return [
    [`${name}.crt`, Buffer.from(cert).toString('base64')],
    [`${name}.key`, Buffer.from(key).toString('base64')],
  ]
}

function authoritiesOf(data: Readonly<Record<string, string>>): readonly Authority[] {
  const text = (name: string): string | undefined =>
    data[name] === undefined ? undefined : Buffer.from(data[name], 'base64').toString('utf8')
  const names = new Set(Object.keys(data).map((key) => key.replace(/\.(crt|key)$/, '')))
  return [...names].sort().map((name) => {
    try {
      return checkedAuthority(text(`${name}.crt`), text(`${name}.key`))
    } catch (error) {
      throw new Error(`${name}.crt and ${name}.key: ${error instanceof Error ? error.message : ''}`, { cause: error })
    }
  })
}
