/** Rules between the fields of one object, written in CEL: the API server and nodeleaf evaluate the same text. */

/** One `x-kubernetes-validations` entry. */
export interface CelRule {
  readonly rule: string
  /** What is wrong when the rule is false. */
  readonly message: string
  /** What the user can do about it; the CRD joins it to the message. */
  readonly remedy: string
  /** The field to blame, relative to where the rule stands: `.holdTime`. */
  readonly fieldPath?: string
}

/** The metadata of a zod schema that carries CEL rules into its JSON schema. */
export const cel = (...rules: readonly CelRule[]): { readonly 'x-kubernetes-validations': readonly CelRule[] } => ({
  'x-kubernetes-validations': rules,
})

/** Exactly one of the fields is set. */
export function exactlyOne(fields: readonly string[], remedy: string): CelRule {
  return {
    rule: `[${fields.map((field) => `has(self.${field})`).join(', ')}].exists_one(set, set)`,
    message: `exactly one of ${listed(fields)} is needed`,
    remedy,
  }
}

/** At least one of the fields is set. */
export function atLeastOne(fields: readonly string[], remedy: string): CelRule {
  return {
    rule: fields.map((field) => `has(self.${field})`).join(' || '),
    message: `at least one of ${listed(fields)} is needed`,
    remedy,
  }
}

function listed(fields: readonly string[]): string {
  return `${fields.slice(0, -1).join(', ')} and ${fields.at(-1) ?? ''}`
}
