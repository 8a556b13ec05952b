/** A kind's zod schema as JSON schema: what the CRD, the reference page and the CEL rules are read from. */
import * as z from 'zod'
import type { CelRule } from './cel.ts'

export interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly additionalProperties?: JsonSchema | boolean
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly format?: string
  readonly 'x-kubernetes-validations'?: readonly CelRule[]
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
}

const known = new WeakMap<z.ZodType, JsonSchema>()

export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const before = known.get(schema)
  if (before) return before
  const made = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as JsonSchema
  known.set(schema, made)
  return made
}

/** The value with the defaults that the schema gives, as the API server fills them in before it checks rules. */
export function withDefaults(schema: JsonSchema, value: unknown): unknown {
  if (Array.isArray(value)) return schema.items ? value.map((each) => withDefaults(schema.items ?? {}, each)) : value
  if (value === null || typeof value !== 'object' || !schema.properties) return value
  const filled: Record<string, unknown> = { ...value }
  for (const [key, property] of Object.entries(schema.properties)) {
    const given = filled[key] === undefined ? structuredClone(property.default) : filled[key]
    if (given !== undefined) filled[key] = withDefaults(property, given)
  }
  return filled
}
