/** Whether a value fits its structural schema: what kube-openapi's validation says, in its words. */
import { isDeepStrictEqual } from 'node:util'
import { isFields } from '../object.ts'
import { fieldProblems as found, pathText, type FieldProblem, type Path } from './field-problem.ts'
import { fieldSchema, type Schema } from './schema.ts'

export function validate(schema: Schema, value: unknown, path: Path = []): readonly FieldProblem[] {
  const at = path.length === 0 ? '' : pathText(path)
  const wrong = typeProblem(schema, value)
  if (wrong) return [found.type(path, wrong, `${at} in body must be of type ${schema.type}: "${wrong}"`)]
  if (value === null) return []
  const own = [...enumProblems(schema, value, path)]
  if (typeof value === 'string') own.push(...textProblems(schema, value, path))
  if (typeof value === 'number') own.push(...numberProblems(schema, value, path))
  if (Array.isArray(value)) return [...own, ...listProblems(schema, value, path)]
  if (isFields(value)) return [...own, ...objectProblems(schema, value, path)]
  return own
}

/** The JSON type that is there instead of the one that should be. */
function typeProblem(schema: Schema, value: unknown): string | undefined {
  const { type } = schema
  if (value === null) return schema.nullable === true || type === undefined ? undefined : 'null'
  if (schema['x-kubernetes-int-or-string'] === true)
    return typeof value === 'string' || Number.isInteger(value) ? undefined : jsonType(value)
  const actual = jsonType(value)
  if (type === undefined || type === actual || (type === 'number' && actual === 'integer')) return undefined
  return actual
}

function jsonType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function* enumProblems(schema: Schema, value: unknown, path: Path): Generator<FieldProblem> {
  if (schema.enum && !schema.enum.some((each) => isDeepStrictEqual(each, value)))
    yield found.unsupported(path, value, schema.enum)
}

/** RFC 3339 section 5.6. */
const dateTime = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/

function* textProblems(schema: Schema, value: string, path: Path): Generator<FieldProblem> {
  const at = pathText(path)
  const length = [...value].length
  if (schema.maxLength !== undefined && length > schema.maxLength) yield found.tooLong(path, schema.maxLength)
  if (schema.minLength !== undefined && length < schema.minLength)
    yield found.invalid(path, value, `${at} in body should be at least ${schema.minLength} chars long`)
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value))
    yield found.invalid(path, value, `${at} in body should match '${schema.pattern}'`)
  if (schema.format === 'date-time' && (!dateTime.test(value) || Number.isNaN(Date.parse(value))))
    yield found.invalid(path, value, `${at} in body must be of type date-time: ${JSON.stringify(value)}`)
}

function* numberProblems(schema: Schema, value: number, path: Path): Generator<FieldProblem> {
  const at = pathText(path)
  const { minimum, maximum, format } = schema
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum))
    yield found.invalid(
      path,
      value,
      `${at} in body should be greater than ${schema.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`,
    )
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum))
    yield found.invalid(
      path,
      value,
      `${at} in body should be less than ${schema.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`,
    )
  if (format === 'int32' && (value > 2 ** 31 - 1 || value < -(2 ** 31)))
    yield found.invalid(path, value, `${at} in body must be of type int32: "${value}"`)
}

function* listProblems(schema: Schema, value: readonly unknown[], path: Path): Generator<FieldProblem> {
  if (schema.maxItems !== undefined && value.length > schema.maxItems)
    yield found.tooMany(path, value.length, schema.maxItems)
  if (schema.minItems !== undefined && value.length < schema.minItems)
    yield found.invalid(path, value.length, `${pathText(path)} in body should have at least ${schema.minItems} items`)
  for (const [i, each] of value.entries()) yield* validate(schema.items ?? {}, each, [...path, i])
  yield* repeated(schema, value, path)
}

/** Lists of type set hold each value once, lists of type map each key once. */
function* repeated(schema: Schema, value: readonly unknown[], path: Path): Generator<FieldProblem> {
  const type = schema['x-kubernetes-list-type']
  if (type !== 'set' && type !== 'map') return
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const ids = value.map((each) =>
    type === 'set' ? each : Object.fromEntries(keys.map((key) => [key, isFields(each) ? each[key] : undefined])),
  )
  for (const [i, id] of ids.entries())
    if (ids.findIndex((other) => isDeepStrictEqual(other, id)) < i) yield found.duplicate([...path, i], id)
}

function* objectProblems(
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  path: Path,
): Generator<FieldProblem> {
  for (const key of schema.required ?? []) if (value[key] === undefined) yield found.required([...path, key])
  const size = Object.keys(value).length
  if (schema.maxProperties !== undefined && size > schema.maxProperties)
    yield found.tooMany(path, size, schema.maxProperties)
  if (schema.minProperties !== undefined && size < schema.minProperties)
    yield found.invalid(path, size, `${pathText(path)} in body should have at least ${schema.minProperties} properties`)
  for (const [key, each] of Object.entries(value)) {
    if (path.length === 0 && key === 'metadata') continue
    yield* validate(fieldSchema(schema, key), each, [...path, key])
  }
}
