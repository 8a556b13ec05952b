/** What is wrong with a field, in the words of k8s.io/apimachinery/pkg/util/validation/field. */
import { ApiProblem, type Cause } from '../problem.ts'

export type Path = readonly (string | number)[]

export interface FieldProblem {
  readonly path: Path
  /** As in Status' causes: FieldValueInvalid. */
  readonly reason: string
  /** `Invalid value: 0: spec.vni in body should be greater than or equal to 1` */
  readonly message: string
}

/** `spec.neighbors[0].asn` */
export function pathText(path: Path): string {
  return path.reduce<string>(
    (text, each) => (typeof each === 'number' ? `${text}[${each}]` : text === '' ? each : `${text}.${each}`),
    '',
  )
}

const problem = (path: Path, reason: string, message: string): FieldProblem => ({
  path,
  reason: `FieldValue${reason}`,
  message,
})

export const fieldProblems = {
  invalid: (path: Path, value: unknown, detail: string) =>
    problem(path, 'Invalid', `Invalid value: ${JSON.stringify(value)}: ${detail}`),
  type: (path: Path, value: unknown, detail: string) =>
    problem(path, 'TypeInvalid', `Invalid value: ${JSON.stringify(value)}: ${detail}`),
  required: (path: Path, detail = '') =>
    problem(path, 'Required', detail === '' ? 'Required value' : `Required value: ${detail}`),
  duplicate: (path: Path, value: unknown) => problem(path, 'Duplicate', `Duplicate value: ${JSON.stringify(value)}`),
  unsupported: (path: Path, value: unknown, supported: readonly unknown[]) =>
    problem(
      path,
      'NotSupported',
      `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported.map((each) => JSON.stringify(each)).join(', ')}`,
    ),
  tooLong: (path: Path, most: number) => problem(path, 'TooLong', `Too long: may not be more than ${most} bytes`),
  tooMany: (path: Path, actual: number, most: number) =>
    problem(path, 'TooMany', `Too many: ${actual}: must have at most ${most} items`),
  forbidden: (path: Path, detail: string) => problem(path, 'Forbidden', `Forbidden: ${detail}`),
}

/** The 422 that names all of them. */
export function invalid(group: string, kind: string, name: string, found: readonly FieldProblem[]): ApiProblem {
  const causes: Cause[] = found.map(({ path, reason, message }) => ({
    reason,
    message,
    field: path.length === 0 ? '<nil>' : pathText(path),
  }))
  const texts = causes.map(({ field, message }) => `${field}: ${message}`)
  const qualified = group === '' ? kind : `${kind}.${group}`
  return new ApiProblem(
    422,
    'Invalid',
    `${qualified} "${name}" is invalid: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`,
    { name, ...(group === '' ? {} : { group }), kind, causes },
  )
}
