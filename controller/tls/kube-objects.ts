/** The few calls to the Kubernetes API that certificates need. */
import { isConflict, isNotFound } from '../kube/api-error.ts'
import type { Api } from '../kube/api.ts'
import type { KubeObject, Target } from '../kube/object.ts'

/** Each call rejects when the API server does not answer, or with another error than those named. */
export interface KubeObjects {
  /** Undefined: there is none. */
  get(at: Target, signal: AbortSignal): Promise<KubeObject | undefined>
  /** False: there is one already. */
  create(at: Target, object: KubeObject, signal: AbortSignal): Promise<boolean>
  /** False: it has another resourceVersion by now, or is gone. */
  replace(at: Target, object: KubeObject, signal: AbortSignal): Promise<boolean>
  /** Server-side apply. */
  apply(at: Target, fields: object, signal: AbortSignal): Promise<void>
}

export const kubeObjects = (api: Api): KubeObjects => ({
  get: (at, signal) => unless(isNotFound, () => api.get(at, { signal })),
  create: async ({ type, namespace }, object, signal) =>
    (await unless(isConflict, () => api.create({ type, namespace }, object, { signal }))) !== undefined,
  replace: async (at, object, signal) =>
    (await unless(isConflictOrGone, () => api.replace(at, object, { signal }))) !== undefined,
  apply: async (at, fields, signal) => {
    await api.apply(at, fields, { signal, fieldManager: 'nodeleaf' })
  },
})

const isConflictOrGone = (error: unknown): boolean => isConflict(error) || isNotFound(error)

async function unless<T>(expected: (error: unknown) => boolean, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    if (expected(error)) return undefined
    throw error
  }
}
