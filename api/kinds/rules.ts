/** Evaluates the rules that ride on a kind's schema: CEL, and Kubernetes' list types. The API server does the same. */
import { Environment } from '@marcbachmann/cel-js'
import type { CelRule } from './cel.ts'
import type { JsonSchema } from './json-schema.ts'

export interface BrokenRule {
  readonly path: readonly (string | number)[]
  readonly message: string
  readonly remedy: string
}

type Compiled = (context: { readonly self: unknown }) => unknown

const environment = new Environment({ unlistedVariablesAreDyn: true })
const compiled = new Map<string, Compiled>()

/** @throws when the rule is no CEL or does not fit the value: for tests of the rules themselves. */
export function holds(rule: string, self: unknown): boolean {
  let run = compiled.get(rule)
  if (!run) {
    run = environment.parse(rule)
    compiled.set(rule, run)
  }
  return run({ self: celValue(self) }) === true
}

/**
 * The rules that a value with its defaults breaks, at every depth. `skip` tells the places where it does not fit its
 * schema anyway: a rule over such a value would only repeat that.
 */
export function brokenRules(
  schema: JsonSchema,
  value: unknown,
  skip: (path: readonly (string | number)[]) => boolean,
  path: readonly (string | number)[] = [],
): readonly BrokenRule[] {
  if (value === undefined || value === null) return []
  const beneath = Array.isArray(value)
    ? value.flatMap((each, i) => brokenRules(schema.items ?? {}, each, skip, [...path, i]))
    : Object.entries(schema.properties ?? {}).flatMap(([key, property]) =>
        brokenRules(property, (value as Record<string, unknown>)[key], skip, [...path, key]),
      )
  if (skip(path)) return beneath
  const broken = (schema['x-kubernetes-validations'] ?? []).filter((each) => !passes(each.rule, value))
  return [...broken.map((each) => blame(each, path)), ...repeated(schema, value, path), ...beneath]
}

/** A rule that cannot be evaluated, over a string where a number belongs, is not the one to complain. */
function passes(rule: string, value: unknown): boolean {
  try {
    return holds(rule, value)
  } catch {
    return true
  }
}

/** A rule names the field it blames by a path relative to itself. */
export function blame(rule: CelRule, path: BrokenRule['path']): BrokenRule {
  const field = (rule.fieldPath ?? '').split('.').filter((key) => key !== '')
  return { path: [...path, ...field], message: rule.message, remedy: rule.remedy }
}

/** Lists of type set hold each value once, lists of type map each key once. */
function repeated(schema: JsonSchema, value: unknown, path: BrokenRule['path']): readonly BrokenRule[] {
  const type = schema['x-kubernetes-list-type']
  if (!Array.isArray(value) || (type !== 'set' && type !== 'map')) return []
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const ids = value.map((each: unknown) =>
    JSON.stringify(type === 'set' ? each : keys.map((key) => (each as Record<string, unknown>)[key])),
  )
  return ids.flatMap((id, i) => {
    const first = ids.indexOf(id)
    if (first === i) return []
    return [{ path: [...path, i], message: `is there twice: it repeats item ${first}`, remedy: 'remove one of them' }]
  })
}

/** Fields with a name that CEL reserves: Kubernetes has rules write `__import__`, and refuses a CRD whose rules do not. */
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return'.split(' '),
)

/** JSON's whole numbers are CEL's int. */
function celValue(value: unknown): unknown {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (Array.isArray(value)) return value.map(celValue)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [reserved.has(key) ? `__${key}__` : key, celValue(each)]),
  )
}
