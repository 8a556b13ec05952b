/** JSON merge patch (RFC 7386), and the strategic merge patch of built-in kinds, whose lists merge by key. */
import { isFields, type Fields } from '../object.ts'
import { fieldSchema, type Schema } from '../schema/schema.ts'

/** The target after a merge patch; null removes a field. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch
  const result: Record<string, unknown> = isFields(target) ? { ...target } : {}
  for (const [key, each] of Object.entries(patch))
    if (each === null) delete result[key]
    else result[key] = mergePatch(result[key], each)
  return result
}

/** As far as clients of this server use it: maps merge, lists with keys or of type set merge, `$patch: delete` removes. */
export function strategicMergePatch(schema: Schema, target: unknown, patch: unknown): unknown {
  if (Array.isArray(patch)) return mergeList(schema, Array.isArray(target) ? target : [], patch)
  if (!isFields(patch)) return patch
  if (patch['$patch'] === 'replace')
    return Object.fromEntries(Object.entries(patch).filter(([key]) => key !== '$patch'))
  const result: Record<string, unknown> = isFields(target) ? { ...target } : {}
  for (const [key, each] of Object.entries(patch)) {
    if (key.startsWith('$')) continue
    if (each === null) delete result[key]
    else result[key] = strategicMergePatch(fieldSchema(schema, key), result[key], each)
  }
  return result
}

function mergeList(schema: Schema, target: readonly unknown[], patch: readonly unknown[]): readonly unknown[] {
  const type = schema['x-kubernetes-list-type']
  if (type === 'set') return [...new Set([...target, ...patch])]
  const keys = schema['x-kubernetes-list-map-keys']
  if (type !== 'map' || !keys) return patch
  const id = (each: unknown): string => JSON.stringify(keys.map((key) => (isFields(each) ? each[key] : undefined)))
  const merged = new Map(target.map((each) => [id(each), each]))
  for (const each of patch) {
    if (isFields(each) && each['$patch'] === 'delete') merged.delete(id(each))
    else merged.set(id(each), strategicMergePatch(schema.items ?? {}, merged.get(id(each)), each as Fields))
  }
  return [...merged.values()]
}
