/**
 * A rule across objects, as claims: each object lays claim to what must not be shared, and the first claim stands. So
 * rules over thousands of objects cost one look-up a claim, and a younger object can never harm an older one.
 */
import type { AnyResource, ObjectRef } from '../kinds/kinds.ts'
import type { Reason } from './violation.ts'

export interface Claim {
  /** Where in the object: `spec.vni`. */
  readonly field: string
  readonly value: string | number
  /** What it takes. */
  readonly takes: readonly string[]
  /** What must not have been taken by another object. */
  readonly needsFree: readonly string[]
}

export interface Rule {
  readonly reason: Reason
  readonly claims: (resource: AnyResource) => readonly Claim[]
  /** What is wrong, naming the other object and what it has. */
  readonly message: (
    mine: Claim,
    other: { readonly name: string; readonly ref: ObjectRef; readonly claim: Claim },
  ) => string
  readonly remedy: string
}

/** A claim to one thing that only one object can have. */
export function only(key: string, field: string, value: string | number): Claim {
  return { field, value, takes: [key], needsFree: [key] }
}
