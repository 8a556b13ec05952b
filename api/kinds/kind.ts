/**
 * A kind is declared once: its zod schema is the TypeScript type, the CRD, the reference page and the check of what users
 * write. CEL rules and Kubernetes' list types ride on the schema as metadata.
 */
import type * as z from 'zod'
import type { CelRule } from './cel.ts'
import type { Labels } from './selector.ts'

export const group = 'nodeleaf.io'
export const apiVersion = 'nodeleaf.io/v1alpha1'

export type KindName = 'Underlay' | 'L3VNI' | 'L2VNI' | 'L3Passthrough' | 'RouterNode'

/** A column of `kubectl get`. */
export interface Column {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly path: string
  /** Shown by `-o wide` only. */
  readonly wide?: boolean
  readonly description?: string
}

export interface Kind<Name extends KindName = KindName, Spec extends z.ZodType = z.ZodType> {
  readonly name: Name
  readonly plural: string
  readonly shortNames: readonly string[]
  /** What it is; the first sentence stands alone. */
  readonly description: string
  readonly spec: Spec
  /** A whole object as a user would write it, for the reference page. */
  readonly example: { readonly name: string; readonly spec: z.input<Spec> }
  readonly status: z.ZodType
  readonly columns: readonly Column[]
  /** CEL over the whole object: `self.metadata.name`, `self.spec`. */
  readonly rules: readonly CelRule[]
}

interface Metadata {
  readonly name: string
  readonly labels?: Labels | undefined
  /** RFC 3339; absent in files. The oldest object wins a conflict. */
  readonly creationTimestamp?: string | undefined
}

/** An object of a kind whose spec was checked and has its defaults. */
export interface Resource<Name extends KindName = KindName, Spec = unknown> {
  readonly kind: Name
  readonly metadata: Metadata
  readonly spec: Spec
}

export function defineKind<const Name extends KindName, Spec extends z.ZodType>(
  kind: Kind<Name, Spec>,
): Kind<Name, Spec> {
  return kind
}

/** The name becomes part of a link's alias in the kernel, which has 255 characters. */
export const shortName: CelRule = {
  rule: 'size(self.metadata.name) <= 63',
  message: 'the name is longer than 63 characters',
  remedy: 'use a shorter one',
  fieldPath: '.metadata.name',
}
