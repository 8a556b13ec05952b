/** What is wrong with a file, at a place a person can go to. */
import type { ObjectRef } from '../kinds/kinds.ts'

export interface Problem {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** As written: the kind may be unknown, the name missing. */
  readonly object?: { readonly kind: string; readonly name: string }
  readonly field?: string
  /** As JSON, shortened; never of a Secret. */
  readonly value?: string
  readonly message: string
  readonly remedy: string
}

/** `net.yaml:12: L3VNI/red: spec.vni: 0 is out of range; use 1 to 16777215`. */
export function formatProblem(problem: Problem): string {
  const { file, line, object, field, value, message, remedy } = problem
  const where = [`${file}:${line}`, object && `${object.kind}/${object.name}`, field].filter(Boolean).join(': ')
  return `${where}: ${value === undefined ? '' : `${value} `}${message}; ${remedy}`
}

/** A value as a message may show it: one line, not long. */
export function shown(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

export const sameObject = (a: ObjectRef, b: ObjectRef): boolean => a.kind === b.kind && a.name === b.name
