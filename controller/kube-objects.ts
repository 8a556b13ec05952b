/** The API client as certificates ask for it: by paths. */
import { isConflict, isNotFound, ApiError } from './kube/api-error.ts'
import type { Api } from './kube/api.ts'
import type { Target } from './kube/object.ts'
import type { KubeObjects } from './tls/kube-objects.ts'

export function kubeObjects(api: Api): KubeObjects {
  return {
    get: (path, signal) => api.get(targetOf(path), { signal }).catch(unless(isNotFound, undefined)),
    create: (path, object, signal) => {
      const { type, namespace } = targetOf(path)
      return api
        .create({ type, namespace }, object, { signal })
        .then(() => true)
        .catch(unless(isConflict, false))
    },
    replace: (path, object, signal) =>
      api
        .replace(targetOf(path), object, { signal })
        .then(() => true)
        .catch(unless((error) => isConflict(error) || isNotFound(error), false)),
    apply: async (path, object, signal) => {
      await api.apply(targetOf(path), object, { signal, fieldManager: 'nodeleaf' })
    },
    patch: (path, operations, signal) =>
      api
        .jsonPatch(targetOf(path), operations, { signal, fieldManager: 'nodeleaf' })
        .then(() => true)
        .catch(unless((error) => isConflict(error) || isNotFound(error) || isInvalid(error), false)),
  }
}

const isInvalid = (error: unknown): boolean => error instanceof ApiError && error.status === 422

function unless<T>(expected: (error: unknown) => boolean, instead: T): (error: unknown) => T {
  return (error) => {
    if (expected(error)) return instead
    throw error
  }
}

/** `/api/v1/namespaces/NAMESPACE/secrets/NAME`, `/apis/GROUP/VERSION/PLURAL/NAME`; of a collection the name is empty. */
export function targetOf(path: string): Target {
  const parts = path.split('/').filter((part) => part !== '')
  const group = parts[0] === 'api' ? '' : (parts[1] ?? '')
  const [version = '', ...rest] = parts.slice(group === '' ? 1 : 2)
  const namespace = rest[0] === 'namespaces' && rest.length > 2 ? rest[1] : undefined
  const [plural = '', name = ''] = namespace === undefined ? rest : rest.slice(2)
  const type = { group, version, plural, kind: KINDS[plural] ?? '' }
  return { type, name, ...(namespace === undefined ? {} : { namespace }) }
}

/** Apply says which kind it means. */
const KINDS: Readonly<Record<string, string>> = {
  secrets: 'Secret',
  configmaps: 'ConfigMap',
  validatingwebhookconfigurations: 'ValidatingWebhookConfiguration',
}
