/** What is wrong with a file, at a place a person can go to. */
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

/** A value as a message may show it: one line, not long, nothing that looks like a password. */
export function shown(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const text = JSON.stringify(value, (key, each: unknown) =>
    /pass|secret/i.test(key) && typeof each === 'string' ? '***' : each,
  )
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
