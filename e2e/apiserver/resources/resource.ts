/** A resource that is served: where it is found, what it is called, how it is checked. */
import type { KubeObject } from '../object.ts'
import type { FieldProblem } from '../schema/field-problem.ts'
import type { Schema } from '../schema/schema.ts'

export interface Column {
  readonly name: string
  readonly type: string
  readonly jsonPath: string
  readonly format?: string
  readonly description?: string
  readonly priority?: number
}

export interface Resource {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly listKind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: boolean
  /** Whether `/status` is served: then the main resource ignores the status, and `/status` everything else. */
  readonly status: boolean
  /** How fields merge, for server-side apply; for custom resources also what is checked, pruned and filled in. */
  readonly schema: Schema
  readonly custom: boolean
  /** Whether metadata.generation counts the changes of what is desired. */
  readonly generation: boolean
  /** Whether a replacement may leave out resourceVersion. */
  readonly unconditionalUpdate: boolean
  /** Whether a replacement of what is not there creates it. */
  readonly createOnUpdate: boolean
  readonly columns: readonly Column[]
  /** What the server fills in itself, after defaults. */
  readonly prepare?: (object: KubeObject) => KubeObject
  readonly check?: (object: KubeObject, before: KubeObject | undefined) => readonly FieldProblem[]
}

/** What the store files a resource's objects under; all versions share it. */
export const keyOf = ({ group, plural }: Pick<Resource, 'group' | 'plural'>): string =>
  group === '' ? plural : `${plural}.${group}`

export const apiVersionOf = ({ group, version }: Resource): string => (group === '' ? version : `${group}/${version}`)
