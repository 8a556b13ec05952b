/** What is wrong at one place of one object, and what to do about it. */
import type { $ZodIssue } from 'zod/v4/core'
import type { JsonSchema } from '../kinds/json-schema.ts'
import { valueAt, type Path } from './path.ts'
import { suggest } from './suggest.ts'

export interface Issue {
  readonly path: Path
  readonly message: string
  readonly remedy: string
  /** The path ends in a field that the kind does not have. */
  readonly unknown?: true
}

/** zod's issue in the words of someone who writes YAML; one with several unknown keys becomes several. */
export function issuesOf(issue: $ZodIssue, object: unknown, schema: JsonSchema): readonly Issue[] {
  const path = issue.path as Path
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownField(path, key, schema))
  return [{ path, ...wording(issue, valueAt(object, path), schemaAt(schema, path)) }]
}

function unknownField(path: Path, key: string, schema: JsonSchema): Issue {
  const fields = Object.keys(schemaAt(schema, path)?.properties ?? {})
  const near = suggest(key, fields)
  return {
    path: [...path, key],
    unknown: true,
    message: 'there is no such field',
    remedy: near === undefined ? `remove it; the fields here are ${fields.join(', ')}` : `did you mean ${near}?`,
  }
}

function wording(issue: $ZodIssue, value: unknown, schema: JsonSchema | undefined): Omit<Issue, 'path'> {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, value, schema, typeof issue.path.at(-1) === 'number')
    case 'too_small':
    case 'too_big':
      return outOfRange(issue.origin, value, schema)
    case 'invalid_value': {
      const near = typeof value === 'string' ? suggest(value, issue.values.map(String)) : undefined
      const choice = `use ${issue.values.join(' or ')}`
      if (value === undefined) return { message: 'is missing', remedy: choice }
      return { message: 'is not one of the choices', remedy: near === undefined ? choice : `did you mean ${near}?` }
    }
    case 'custom':
      return { message: issue.message, remedy: String(issue.params?.['remedy'] ?? 'correct it') }
    default:
      return { message: `is not valid: ${issue.message}`, remedy: schema?.description ?? 'correct it' }
  }
}

const nouns: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'a whole number',
  string: 'a string',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of fields',
  record: 'a mapping',
}

function wrongType(
  expected: string,
  value: unknown,
  schema: JsonSchema | undefined,
  inList: boolean,
): Omit<Issue, 'path'> {
  const noun = nouns[schema?.type === 'integer' ? 'int' : expected] ?? expected
  if (value === undefined)
    return { message: 'is missing', remedy: `add it; it is ${noun}. ${schema?.description ?? ''}`.trim() }
  if (value === null) return { message: 'has no value', remedy: `give it ${noun}, or remove the key` }
  if (expected === 'array')
    return { message: 'is not a list', remedy: `put a "-" before ${isObject(value) ? 'it' : 'each item'}` }
  if (typeof value === 'string' && (expected === 'number' || expected === 'int') && /^[0-9]+$/.test(value))
    return { message: 'is a string, not a number', remedy: `write ${value} without quotes` }
  if (typeof value === 'string' && expected === 'boolean' && /^(true|false|yes|no|on|off)$/i.test(value))
    return {
      message: 'is a string',
      remedy: `write ${/^(true|yes|on)$/i.test(value) ? 'true' : 'false'} without quotes`,
    }
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean'))
    return { message: `is a ${typeof value}, not a string`, remedy: `put it in quotes: "${value}"` }
  if (inList && typeof value === 'string' && schema?.properties?.['name'])
    return { message: 'is a string, not a mapping', remedy: `write name: ${value}` }
  return { message: `is ${kindOf(value)}, not ${noun}`, remedy: `give ${noun}` }
}

function outOfRange(origin: string, value: unknown, schema: JsonSchema | undefined): Omit<Issue, 'path'> {
  const [low, high, unit] =
    origin === 'array'
      ? [schema?.minItems ?? 0, schema?.maxItems, 'items']
      : origin === 'string'
        ? [schema?.minLength ?? 0, schema?.maxLength, 'characters']
        : [schema?.minimum, schema?.maximum, '']
  const range = high === undefined ? `at least ${low}` : `${low} to ${high}`
  const given = Array.isArray(value) || typeof value === 'string' ? value.length : undefined
  return {
    message: given === undefined ? 'is out of range' : `has ${given} ${unit}`,
    remedy: `use ${range}${unit && ` ${unit}`}`,
  }
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  return isObject(value) ? 'a mapping' : `a ${typeof value}`
}

/** The schema of the field that the path leads to. */
function schemaAt(schema: JsonSchema, path: Path): JsonSchema | undefined {
  return path.reduce<JsonSchema | undefined>((at, key) => {
    if (typeof key === 'number') return at?.items
    return at?.properties?.[key] ?? (typeof at?.additionalProperties === 'object' ? at.additionalProperties : undefined)
  }, schema)
}
