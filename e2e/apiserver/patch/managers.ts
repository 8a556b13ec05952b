/** Who set which field: metadata.managedFields as a map of field sets, and how writes move fields between managers. */
import type { KubeObject, ManagedFields } from '../object.ts'
import { SERVER_METADATA, without } from '../object.ts'
import type { Schema } from '../schema/schema.ts'
import {
  absentFrom,
  difference,
  fromFieldsV1,
  intersection,
  isEmpty,
  removeBeneath,
  toFieldsV1,
  union,
  type FieldSet,
} from './field-set.ts'
import { fieldsOf, modifiedFields } from './fields-of.ts'

export interface Manager {
  readonly name: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource?: string
}

export interface Owned {
  readonly manager: Manager
  readonly fields: FieldSet
  readonly time?: string
}

/** By the manager's identity. */
export type Managers = ReadonlyMap<string, Owned>

export const idOf = ({ name, operation, apiVersion, subresource }: Manager): string =>
  JSON.stringify([name, operation, apiVersion, subresource ?? ''])

/** Fields that nobody owns: identity, and what the server sets (fieldmanager/stripmeta.go). */
const unowned = [
  ['f:apiVersion'],
  ['f:kind'],
  ...[...SERVER_METADATA, 'selfLink', 'managedFields'].map((field) => ['f:metadata', `f:${field}`]),
]

/** The fields of an object that can be owned. */
export function ownable(schema: Schema, object: object): FieldSet {
  return unowned.reduce(removeBeneath, fieldsOf(schema, object))
}

export function managersOf({ metadata }: KubeObject): Managers {
  const entries = (metadata.managedFields ?? []).map((each): [string, Owned] => {
    const { manager: name, operation, apiVersion, subresource, time } = each
    const manager = { name, operation, apiVersion, ...(subresource === undefined ? {} : { subresource }) }
    return [idOf(manager), { manager, fields: fromFieldsV1(each.fieldsV1), ...(time === undefined ? {} : { time }) }]
  })
  return new Map(entries)
}

/** The object with the managers in it; the time of those that did not change stays. */
export function withManagers(object: KubeObject, managers: Managers, before: Managers, now: string): KubeObject {
  const entries = [...managers].flatMap(([id, { manager, fields, time }]): ManagedFields[] => {
    if (isEmpty(fields)) return []
    const known = before.get(id)
    const same = known && isEmpty(difference(known.fields, fields)) && isEmpty(difference(fields, known.fields))
    return [
      {
        manager: manager.name,
        operation: manager.operation,
        apiVersion: manager.apiVersion,
        time: (same ? time : undefined) ?? now,
        fieldsType: 'FieldsV1',
        fieldsV1: toFieldsV1(fields),
        ...(manager.subresource === undefined ? {} : { subresource: manager.subresource }),
      },
    ]
  })
  const metadata = without(object.metadata, 'managedFields')
  return { ...object, metadata: entries.length > 0 ? { ...metadata, managedFields: entries } : metadata }
}

export interface Difference {
  /** Added, or with another value. */
  readonly set: FieldSet
  readonly removed: FieldSet
}

export function differenceOf(schema: Schema, before: object, after: object): Difference {
  const [was, is] = [ownable(schema, before), ownable(schema, after)]
  const modified = intersection(modifiedFields(schema, before, after), intersection(was, is))
  return { set: union(absentFrom(is, was), modified), removed: absentFrom(was, is) }
}

/** After a write that is no apply: whoever wrote owns what changed, the others lose it. */
export function afterUpdate(managers: Managers, writer: Manager, { set, removed }: Difference): Managers {
  const id = idOf(writer)
  const kept = [...managers].map(([other, owned]): [string, Owned] => {
    const lost = other === id ? removed : union(set, removed)
    return [other, { ...owned, fields: difference(owned.fields, lost) }]
  })
  const result = new Map(kept)
  const own = result.get(id)
  result.set(id, { ...own, manager: writer, fields: own ? union(own.fields, set) : set })
  return result
}
