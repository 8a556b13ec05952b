/**
 * Server-side apply. https://kubernetes.io/docs/reference/using-api/server-side-apply/
 * What a manager applies is merged in; what it applied before and no longer does is removed unless another manager has it;
 * a field that another manager has with another value is a conflict.
 */
import { isFields, type KubeObject } from '../object.ts'
import { ApiProblem } from '../problem.ts'
import { fieldSchema, type Schema } from '../schema/schema.ts'
import { difference, empty, intersection, isEmpty, paths, union, type FieldSet } from './field-set.ts'
import { isAtomicMap, itemsOf } from './fields-of.ts'
import { differenceOf, idOf, ownable, type Manager, type Managers, type Owned } from './managers.ts'

export interface Applied {
  readonly object: KubeObject
  readonly managers: Managers
}

/** @throws ApiProblem 409 that names fields and managers, unless forced. */
export function apply(
  schema: Schema,
  live: KubeObject,
  config: KubeObject,
  managers: Managers,
  manager: Manager,
  force: boolean,
): Applied {
  const id = idOf(manager)
  const now = ownable(schema, config)
  const others = [...managers].filter(([each]) => each !== id)
  const kept = others.reduce((all, [, { fields }]) => union(all, fields), now)
  const dropped = difference(managers.get(id)?.fields ?? empty, kept)
  const object = removeFields(schema, merge(schema, live, config), dropped, kept) as KubeObject

  const { set, removed } = differenceOf(schema, live, object)
  const conflicts = others
    .map(([, owned]) => ({ owned, fields: intersection(owned.fields, set) }))
    .filter(({ fields }) => !isEmpty(fields))
  if (conflicts.length > 0 && !force) throw conflict(conflicts)
  const lost = union(set, removed)
  const rest = others.map(([other, owned]): [string, Owned] => [
    other,
    { ...owned, fields: difference(owned.fields, lost) },
  ])
  return { object, managers: new Map([...rest, [id, { ...managers.get(id), manager, fields: now }]]) }
}

interface Conflict {
  readonly owned: Owned
  readonly fields: FieldSet
}

/** In the words of fieldmanager/internal/conflict.go. */
function conflict(conflicts: readonly Conflict[]): ApiProblem {
  const all = conflicts.flatMap(({ owned, fields }) => paths(fields).map((field) => ({ who: who(owned), field })))
  const groups = conflicts.map(({ owned, fields }) => ({ who: who(owned), fields: paths(fields) }))
  const texts = groups.map(({ who: name, fields }) =>
    fields.length === 1
      ? `conflict with ${name}: ${fields[0]}`
      : `conflicts with ${name}:\n${fields.map((field) => `- ${field}`).join('\n')}`,
  )
  return new ApiProblem(
    409,
    'Conflict',
    `Apply failed with ${all.length} conflict${all.length === 1 ? '' : 's'}: ${texts.join('\n')}`,
    {
      causes: all.map((each) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${each.who}`,
        field: each.field,
      })),
    },
  )
}

function who({ manager, time }: Owned): string {
  const subresource = manager.subresource === undefined ? '' : ` with subresource "${manager.subresource}"`
  const at = manager.operation === 'Update' && time !== undefined ? ` at ${time}` : ''
  return `"${manager.name}"${subresource} using ${manager.apiVersion}${at}`
}

function merge(schema: Schema, live: unknown, config: unknown): unknown {
  if (Array.isArray(live) && Array.isArray(config)) {
    const [left, right] = [itemsOf(schema, live), itemsOf(schema, config)]
    if (!left || !right) return config
    const steps = new Set([...left.keys(), ...right.keys()])
    return [...steps].map((step) =>
      left.has(step) && right.has(step)
        ? merge(schema.items ?? {}, left.get(step), right.get(step))
        : (right.get(step) ?? left.get(step)),
    )
  }
  if (!isFields(live) || !isFields(config) || isAtomicMap(schema)) return config
  const merged: Record<string, unknown> = { ...live }
  for (const [key, each] of Object.entries(config))
    merged[key] = key in live ? merge(fieldSchema(schema, key), live[key], each) : each
  return merged
}

/** Without the fields that were dropped; what is beneath them goes too, but for what is kept. */
function removeFields(schema: Schema, value: unknown, dropped: FieldSet, kept: FieldSet): unknown {
  if (dropped.children.size === 0) return value
  const stays = (step: string): boolean => {
    const drop = dropped.children.get(step)
    return drop?.owned !== true || !isEmpty(kept.children.get(step) ?? empty)
  }
  const beneath = (step: string, each: unknown, at: Schema): unknown =>
    removeFields(at, each, dropped.children.get(step) ?? empty, kept.children.get(step) ?? empty)
  if (Array.isArray(value)) {
    const items = itemsOf(schema, value)
    if (!items) return value
    const left = [...items]
      .filter(([step]) => stays(step))
      .map(([step, each]) => beneath(step, each, schema.items ?? {}))
      .filter((each) => each !== undefined)
    return left.length > 0 || kept.owned ? left : undefined
  }
  if (!isFields(value)) return value
  const left = Object.entries(value)
    .filter(([key]) => stays(`f:${key}`))
    .map(([key, each]): [string, unknown] => [key, beneath(`f:${key}`, each, fieldSchema(schema, key))])
    .filter(([, each]) => each !== undefined)
  return left.length > 0 || kept.owned ? Object.fromEntries(left) : undefined
}
