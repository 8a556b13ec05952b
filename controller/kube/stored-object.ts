/** Read, decide, write: an object that several may write, and nobody's write is lost. */
import { isConflict, isNotFound } from './api-error.ts'
import type { Api, CallOptions } from './api.ts'
import type { KubeObject, Target } from './object.ts'

const ATTEMPTS = 8

/**
 * Lets `change` say what the object shall be, given what it is (undefined: there is none), and writes that if nobody
 * else wrote in between; else asks `change` again. `change` returns undefined when all is well as it is, and must not
 * have effects of its own. The result is what is stored then; undefined: there is none and none was wanted.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
 *
 * @throws ApiError `Conflict` when somebody else was faster eight times in a row.
 */
export async function updateObject<T extends KubeObject>(
  api: Api,
  at: Target,
  change: (current: T | undefined) => T | undefined,
  options: CallOptions = {},
): Promise<T | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const current = await found<T>(api, at, options)
    const wanted = change(current)
    if (wanted === undefined) return current
    try {
      if (current === undefined) return await api.create<T>({ type: at.type, namespace: at.namespace }, wanted, options)
      const { resourceVersion, uid } = current.metadata
      const metadata = { ...wanted.metadata, resourceVersion, uid }
      return await api.replace<T>(at, { ...wanted, metadata }, options)
    } catch (error) {
      // 409: another was faster (or made it first); 404: it went away between reading and writing.
      if ((!isConflict(error) && !(isNotFound(error) && current !== undefined)) || attempt === ATTEMPTS) throw error
    }
  }
}

async function found<T extends KubeObject>(api: Api, at: Target, options: CallOptions): Promise<T | undefined> {
  try {
    return await api.get<T>(at, options)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
