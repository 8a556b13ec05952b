/**
 * Sets of fields, as managedFields holds them (FieldsV1): a tree whose steps are `f:NAME` (a field), `k:KEYS` (an item of
 * a list of type map), `v:VALUE` (an item of a list of type set).
 * https://github.com/kubernetes-sigs/structured-merge-diff, fieldpath/serialize-pe.go
 */
import { isFields, type Fields } from '../object.ts'

export interface FieldSet {
  /** Whether this very path is in the set. */
  readonly owned: boolean
  readonly children: ReadonlyMap<string, FieldSet>
}

export const empty: FieldSet = { owned: false, children: new Map() }
export const leaf: FieldSet = { owned: true, children: new Map() }

export const isEmpty = (set: FieldSet): boolean => !set.owned && set.children.size === 0

/** A node; children that hold nothing are left out. */
export function node(owned: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  return { owned, children: new Map([...children].filter(([, each]) => !isEmpty(each))) }
}

function combine(a: FieldSet, b: FieldSet, owned: (a: boolean, b: boolean) => boolean): FieldSet {
  const steps = new Set([...a.children.keys(), ...b.children.keys()])
  const children = [...steps].map(
    (step) => [step, combine(a.children.get(step) ?? empty, b.children.get(step) ?? empty, owned)] as const,
  )
  return node(owned(a.owned, b.owned), children)
}

export const union = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (x, y) => x || y)
export const intersection = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (x, y) => x && y)
export const difference = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (x, y) => x && !y)

/** What of the set is not in the other one at all: a map that was full and is empty was there before. */
export function absentFrom(set: FieldSet, other: FieldSet): FieldSet {
  const children = [...set.children].map(([step, each]): [string, FieldSet] => [
    step,
    absentFrom(each, other.children.get(step) ?? empty),
  ])
  return node(set.owned && isEmpty(other), children)
}

/** Without anything at or beneath the steps. */
export function removeBeneath(set: FieldSet, steps: readonly string[]): FieldSet {
  const [step, ...rest] = steps
  if (step === undefined) return empty
  const child = set.children.get(step)
  if (!child) return set
  return node(
    set.owned,
    [...set.children].map(([key, each]) => [key, key === step ? removeBeneath(each, rest) : each]),
  )
}

export function toFieldsV1(set: FieldSet): Fields {
  const beneath = [...set.children]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([step, each]): [string, Fields] => [step, toFieldsV1(each)])
  return { ...(set.owned && beneath.length > 0 ? { '.': {} } : {}), ...Object.fromEntries(beneath) }
}

export function fromFieldsV1(fields: Fields, root = true): FieldSet {
  const children = Object.entries(fields)
    .filter(([step]) => step !== '.')
    .map(([step, each]): [string, FieldSet] => [step, fromFieldsV1(isFields(each) ? each : {}, false)])
  return node('.' in fields || (!root && children.length === 0), children)
}

/** Every path of the set as conflicts name it: `.spec.vni`, `.status.conditions[type="Ready"].status`. */
export function paths(set: FieldSet, at = ''): readonly string[] {
  const beneath = [...set.children].sort(([a], [b]) => (a < b ? -1 : 1))
  return [...(set.owned ? [at] : []), ...beneath.flatMap(([step, each]) => paths(each, at + stepText(step)))]
}

function stepText(step: string): string {
  const value = step.slice(2)
  if (step.startsWith('f:')) return `.${value}`
  if (step.startsWith('v:')) return `[=${value}]`
  const keys = Object.entries(JSON.parse(value) as Fields).map(([key, each]) => `${key}=${JSON.stringify(each)}`)
  return `[${keys.join(',')}]`
}
