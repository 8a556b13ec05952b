/**
 * Which fields a value has and in which two values differ, as server-side apply counts them: down to scalars and atomic
 * lists, item by item in lists of type map and set. What the schema does not know counts as maps and atomic lists.
 */
import { isDeepStrictEqual } from 'node:util'
import { isFields, type Fields } from '../object.ts'
import { fieldSchema, type Schema } from '../schema/schema.ts'
import { empty, leaf, node, type FieldSet } from './field-set.ts'

/** The items of a list by their step; undefined when the list is one value. */
export function itemsOf(schema: Schema, list: readonly unknown[]): ReadonlyMap<string, unknown> | undefined {
  const type = schema['x-kubernetes-list-type']
  if (type === 'set') return new Map(list.map((each) => [`v:${JSON.stringify(each)}`, each]))
  const keys = schema['x-kubernetes-list-map-keys']
  if (type !== 'map' || !keys) return undefined
  return new Map(
    list.map((each) => {
      const defaulted = (key: string): unknown =>
        (isFields(each) ? each[key] : undefined) ?? schema.items?.properties?.[key]?.default ?? null
      const id = keys.toSorted().map((key): [string, unknown] => [key, defaulted(key)])
      return [`k:${JSON.stringify(Object.fromEntries(id))}`, each]
    }),
  )
}

export const isAtomicMap = (schema: Schema): boolean => schema['x-kubernetes-map-type'] === 'atomic'

/** A map's keys are owned one by one; a struct's fields only by what is in them. */
const isMap = (schema: Schema): boolean => schema.properties === undefined

export function fieldsOf(schema: Schema, value: unknown): FieldSet {
  if (Array.isArray(value)) {
    const items = itemsOf(schema, value)
    if (!items) return leaf
    const children = [...items].map(([step, each]): [string, FieldSet] => [
      step,
      { ...(step.startsWith('k:') ? fieldsOf(schema.items ?? {}, each) : empty), owned: true },
    ])
    return node(false, children)
  }
  if (!isFields(value) || isAtomicMap(schema) || Object.keys(value).length === 0) return leaf
  const children = Object.entries(value).map(([key, each]): [string, FieldSet] => {
    const beneath = fieldsOf(fieldSchema(schema, key), each)
    return [`f:${key}`, isMap(schema) ? { ...beneath, owned: true } : beneath]
  })
  return node(false, children)
}

/** The fields that both have, with different values. */
export function modifiedFields(schema: Schema, a: unknown, b: unknown): FieldSet {
  if (Array.isArray(a) && Array.isArray(b)) {
    const [left, right] = [itemsOf(schema, a), itemsOf(schema, b)]
    if (!left || !right) return isDeepStrictEqual(a, b) ? empty : leaf
    const children = [...left].flatMap(([step, each]): [string, FieldSet][] =>
      step.startsWith('k:') && right.has(step)
        ? [[step, modifiedFields(schema.items ?? {}, each, right.get(step))]]
        : [],
    )
    return node(false, children)
  }
  if (!isFields(a) || !isFields(b) || isAtomicMap(schema)) return isDeepStrictEqual(a, b) ? empty : leaf
  return node(
    false,
    shared(a, b).map((key) => [`f:${key}`, modifiedFields(fieldSchema(schema, key), a[key], b[key])]),
  )
}

const shared = (a: Fields, b: Fields): readonly string[] => Object.keys(a).filter((key) => key in b)
