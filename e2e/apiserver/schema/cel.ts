/**
 * `x-kubernetes-validations`: CEL rules of a schema, type-checked against it when the CRD comes and evaluated over values.
 * https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
 */
import { Environment } from '@marcbachmann/cel-js'
import { isDeepStrictEqual } from 'node:util'
import { isFields } from '../object.ts'
import { fieldProblems, type FieldProblem, type Path } from './field-problem.ts'
import { fieldSchema, type Schema, type Validation } from './schema.ts'

/** Field names that CEL reserves: rules write them as `__import__`. */
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return'.split(' '),
)

const escaped = (name: string): string => (reserved.has(name) ? `__${name}__` : name)

type Compiled = (context: Record<string, unknown>) => unknown

const dynamic = new Environment({ unlistedVariablesAreDyn: true })
const compiled = new Map<string, Compiled>()

function compile(rule: string): Compiled {
  const known = compiled.get(rule)
  if (known) return known
  const made = dynamic.parse(rule) as Compiled
  compiled.set(rule, made)
  return made
}

/** Whether an expression over variables that have no schema is true. @throws when it cannot be evaluated */
export function holds(expression: string, variables: Record<string, unknown>): boolean {
  return compile(expression)(variables) === true
}

/** The rules that a value breaks, at every depth. Rules about `oldSelf` hold where there was nothing before. */
export function brokenRules(schema: Schema, value: unknown, before: unknown, path: Path = []): FieldProblem[] {
  if (value === undefined || value === null) return []
  const found = (schema['x-kubernetes-validations'] ?? []).flatMap((each) =>
    evaluate(each, schema, value, before, path),
  )
  if (Array.isArray(value))
    value.forEach((each: unknown, i) => {
      found.push(...brokenRules(schema.items ?? {}, each, counterpart(schema, value, before, i), [...path, i]))
    })
  else if (isFields(value))
    for (const [key, each] of Object.entries(value)) {
      const old = isFields(before) ? before[key] : undefined
      found.push(...brokenRules(fieldSchema(schema, key), each, old, [...path, key]))
    }
  return found
}

/** The item that was there before; only the items of lists of type map can be told. */
function counterpart(schema: Schema, value: readonly unknown[], before: unknown, i: number): unknown {
  const keys = schema['x-kubernetes-list-map-keys']
  const item = value[i]
  if (!keys || !Array.isArray(before) || !isFields(item)) return undefined
  return before.find((each: unknown) => isFields(each) && keys.every((key) => isDeepStrictEqual(each[key], item[key])))
}

function evaluate(each: Validation, schema: Schema, value: unknown, before: unknown, path: Path): FieldProblem[] {
  const aboutChange = /\boldSelf\b/.test(each.rule)
  if (aboutChange && before === undefined) return []
  const context = { self: celValue(schema, value), ...(aboutChange ? { oldSelf: celValue(schema, before) } : {}) }
  const at = [...path, ...(each.fieldPath ?? '').split('.').filter((key) => key !== '')]
  const shown = isFields(value) ? 'object' : Array.isArray(value) ? 'array' : value
  try {
    if (compile(each.rule)(context) === true) return []
    return [fieldProblems.invalid(at, shown, message(each, context))]
  } catch (error) {
    return [fieldProblems.invalid(at, shown, `${oneLine(error)} evaluating rule: ${message(each, context)}`)]
  }
}

function message(each: Validation, context: Record<string, unknown>): string {
  if (each.messageExpression !== undefined)
    try {
      return String(compile(each.messageExpression)(context))
    } catch {
      // Falls back to the message, as the API server does.
    }
  return each.message ?? `failed rule: ${each.rule}`
}

/** What is wrong with the rules of a schema: said when the CRD comes. */
export function ruleProblems(schema: Schema, path: Path, root = true): FieldProblem[] {
  const at = [...path, 'x-kubernetes-validations']
  const rules = schema['x-kubernetes-validations'] ?? []
  const found = rules.flatMap((each, i) => {
    const wrong = typeError(root ? withMetadata(schema) : schema, each.rule)
    const text = `compilation failed: ERROR: ${wrong ?? ''}`
    return wrong === undefined ? [] : [fieldProblems.invalid([...at, i, 'rule'], each.rule, text)]
  })
  for (const [i, each] of rules.entries())
    if (each.fieldPath !== undefined && !hasField(schema, each.fieldPath))
      found.push(fieldProblems.invalid([...at, i, 'fieldPath'], each.fieldPath, 'fieldPath must be a valid path'))
  for (const [key, each] of Object.entries(schema.properties ?? {}))
    found.push(...ruleProblems(each, [...path, `properties[${key}]`], false))
  if (schema.items) found.push(...ruleProblems(schema.items, [...path, 'items'], false))
  if (typeof schema.additionalProperties === 'object')
    found.push(...ruleProblems(schema.additionalProperties, [...path, 'additionalProperties'], false))
  return found
}

function hasField(schema: Schema, fieldPath: string): boolean {
  const keys = fieldPath.split('.').filter((key) => key !== '')
  let at: Schema | undefined = schema
  for (const key of keys) at = at?.properties?.[key]
  return keys.length > 0 && at !== undefined
}

/** A rule at the root sees only the name of the metadata. */
const withMetadata = (schema: Schema): Schema => ({
  ...schema,
  properties: {
    ...schema.properties,
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } },
  },
})

function typeError(schema: Schema, rule: string): string | undefined {
  try {
    let environment = new Environment()
    let count = 0
    const declare = (each: Schema): string => {
      if (each['x-kubernetes-int-or-string'] === true) return 'dyn'
      if (each.type === 'integer') return 'int'
      if (each.type === 'number') return 'double'
      if (each.type === 'boolean') return 'bool'
      if (each.type === 'string') return each.format === 'date-time' ? 'google.protobuf.Timestamp' : 'string'
      if (each.type === 'array') return `list<${declare(each.items ?? {})}>`
      if (typeof each.additionalProperties === 'object') return `map<string, ${declare(each.additionalProperties)}>`
      if (!each.properties) return 'dyn'
      const fields = Object.entries(each.properties).map(([key, field]) => [escaped(key), declare(field)])
      const name = `Object${count++}`
      environment = environment.registerType({ name, fields: Object.fromEntries(fields) as Record<string, string> })
      return name
    }
    const type = declare(schema)
    environment = environment.registerVariable('self', type)
    if (/\boldSelf\b/.test(rule)) environment = environment.registerVariable('oldSelf', type)
    const checked = environment.check(rule)
    if (!checked.valid) return oneLine(checked.error)
    return checked.type === 'bool' || checked.type === 'dyn' ? undefined : 'must evaluate to a bool'
  } catch (error) {
    return oneLine(error)
  }
}

const oneLine = (error: unknown): string =>
  error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)

/** JSON as CEL sees it through its schema. */
function celValue(schema: Schema, value: unknown): unknown {
  if (typeof value === 'number' && schema.type !== 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === 'string' && schema.format === 'date-time') return new Date(value)
  if (Array.isArray(value)) return value.map((each: unknown) => celValue(schema.items ?? {}, each))
  if (!isFields(value)) return value
  const fields = Object.entries(value).map(([key, each]): [string, unknown] => [
    schema.properties ? escaped(key) : key,
    celValue(fieldSchema(schema, key), each),
  ])
  return Object.fromEntries(fields)
}
