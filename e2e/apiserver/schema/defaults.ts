/** Defaults and pruning of structural schemas, in the order the API server does them: prune, then fill in. */
import { isFields } from '../object.ts'
import { pathText, type Path } from './field-problem.ts'
import { fieldSchema, type Schema } from './schema.ts'

/** The value with the defaults its schema gives. A null where null is not allowed gives way to the default, or goes. */
export function withDefaults(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each: unknown) => withDefaults(schema.items ?? {}, each))
  if (!isFields(value)) return value
  const filled: Record<string, unknown> = { ...value }
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const missing = filled[key] === undefined || (filled[key] === null && property.nullable !== true)
    if (missing && property.default !== undefined) filled[key] = structuredClone(property.default)
  }
  for (const [key, each] of Object.entries(filled)) {
    const field = fieldSchema(schema, key)
    if (each === null && field.type !== undefined && field.nullable !== true) delete filled[key]
    else filled[key] = withDefaults(field, each)
  }
  return filled
}

export interface Pruned {
  readonly value: unknown
  /** Paths of what the schema does not have. */
  readonly unknown: readonly string[]
}

/** The value without fields that its schema does not declare. `root` keeps what every object has. */
export function prune(schema: Schema, value: unknown, root = true): Pruned {
  const unknown: string[] = []
  const walk = (at: Schema, each: unknown, path: Path): unknown => {
    if (Array.isArray(each)) return each.map((item: unknown, i) => walk(at.items ?? {}, item, [...path, i]))
    if (!isFields(each)) return each
    const open = at['x-kubernetes-preserve-unknown-fields'] === true || at.additionalProperties !== undefined
    const kept: Record<string, unknown> = {}
    for (const [key, field] of Object.entries(each)) {
      if (root && path.length === 0 && ['apiVersion', 'kind', 'metadata'].includes(key)) kept[key] = field
      else if (at.properties?.[key] || open) kept[key] = walk(fieldSchema(at, key), field, [...path, key])
      else unknown.push(pathText([...path, key]))
    }
    return kept
  }
  return { value: walk(schema, value, []), unknown }
}
