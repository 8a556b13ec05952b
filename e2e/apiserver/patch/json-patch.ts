/** JSON patch (RFC 6902). */
import { isDeepStrictEqual } from 'node:util'
import { isFields } from '../object.ts'
import { ApiProblem, problems } from '../problem.ts'

interface Operation {
  readonly op: string
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

/** @throws ApiProblem 400 for what is no patch, 422 when an operation does not apply or a test fails. */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw problems.badRequest('a JSON patch is a list of operations')
  return (patch as readonly Operation[]).reduce(operate, structuredClone(target))
}

function operate(target: unknown, { op, path, from, value }: Operation): unknown {
  const keys = pointer(path)
  if (op === 'add') return put(target, keys, value, 'add')
  if (op === 'remove') return remove(target, keys)
  if (op === 'replace') return put(target, keys, value, 'replace')
  if (op === 'test') {
    if (isDeepStrictEqual(get(target, keys), value)) return target
    throw refused(`testing value ${path} failed`)
  }
  if (op === 'copy') return put(target, keys, structuredClone(get(target, pointer(from ?? ''))), 'add')
  if (op === 'move') {
    const moved = get(target, pointer(from ?? ''))
    return put(remove(target, pointer(from ?? '')), keys, moved, 'add')
  }
  throw problems.badRequest(`Unexpected kind: ${op}`)
}

const refused = (message: string): ApiProblem =>
  new ApiProblem(422, 'Invalid', `the server rejected our request due to an error in our request: ${message}`)

/** RFC 6901. */
function pointer(path: string): readonly string[] {
  if (path === '') return []
  if (!path.startsWith('/')) throw problems.badRequest(`${path} is no JSON pointer`)
  return path
    .slice(1)
    .split('/')
    .map((each) => each.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function get(target: unknown, keys: readonly string[]): unknown {
  let at = target
  for (const key of keys) {
    const next: unknown = Array.isArray(at) ? at[index(at, key)] : isFields(at) ? at[key] : undefined
    if (next === undefined) throw refused(`missing path /${keys.join('/')}`)
    at = next
  }
  return at
}

function index(list: readonly unknown[], key: string): number {
  const i = Number(key)
  if (!/^(0|[1-9]\d*)$/.test(key) || i >= list.length) throw refused(`no item ${key}`)
  return i
}

/** The target was copied, so it may be changed. */
function put(target: unknown, keys: readonly string[], value: unknown, how: 'add' | 'replace'): unknown {
  const last = keys.at(-1)
  if (last === undefined) return value
  const parent = get(target, keys.slice(0, -1))
  if (Array.isArray(parent)) {
    if (how === 'replace') parent[index(parent, last)] = value
    else if (last === '-' || Number(last) === parent.length) parent.push(value)
    else parent.splice(index(parent, last), 0, value)
  } else if (isFields(parent)) {
    if (how === 'replace' && !(last in parent)) throw refused(`replace operation does not apply: missing key ${last}`)
    ;(parent as Record<string, unknown>)[last] = value
  } else throw refused(`/${keys.join('/')} is beneath a scalar`)
  return target
}

function remove(target: unknown, keys: readonly string[]): unknown {
  const last = keys.at(-1)
  if (last === undefined) return null
  const parent = get(target, keys.slice(0, -1))
  get(parent, [last])
  if (Array.isArray(parent)) parent.splice(index(parent, last), 1)
  else delete (parent as Record<string, unknown>)[last]
  return target
}
