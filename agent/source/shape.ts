/** What data that came from elsewhere must look like: small checks that are put together. Fields beside are passed over. */

/** What is wrong, with the field's path before it (`neighbors.0.peer: is not ...`); undefined: nothing. */
export type Shape = (value: unknown) => Issue | undefined

interface Issue {
  readonly path: readonly string[]
  readonly message: string
}

const issue = (message: string): Issue => ({ path: [], message })

export const text: Shape = (value) => (typeof value === 'string' ? undefined : issue('is no text'))
export const flag: Shape = (value) => (typeof value === 'boolean' ? undefined : issue('is neither true nor false'))
export const integer: Shape = (value) => (Number.isSafeInteger(value) ? undefined : issue('is no whole number'))

export const positive: Shape = (value) =>
  Number.isSafeInteger(value) && Number(value) > 0 ? undefined : issue('is no whole number above 0')

export const oneOf =
  (...values: readonly unknown[]): Shape =>
  (value) =>
    values.includes(value) ? undefined : issue(`is not one of ${values.join(', ')}`)

/** Not empty, and at most so many characters. */
export const name =
  (longest = Infinity): Shape =>
  (value) =>
    typeof value === 'string' && value !== '' && value.length <= longest ? undefined : issue('is no name')

export const either =
  (...shapes: readonly Shape[]): Shape =>
  (value) =>
    shapes.some((shape) => shape(value) === undefined) ? undefined : issue('is none of what it may be')

export const optional =
  (shape: Shape): Shape =>
  (value) =>
    value === undefined ? undefined : shape(value)

export const list =
  (shape: Shape): Shape =>
  (value) =>
    Array.isArray(value) ? first(value.map((each, at) => under(String(at), shape(each)))) : issue('is no list')

export const object =
  (fields: Readonly<Record<string, Shape>>): Shape =>
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return issue('is no object')
    const given = value as Readonly<Record<string, unknown>>
    return first(Object.entries(fields).map(([field, shape]) => under(field, shape(given[field]))))
  }

/** An object whose field `type` says which fields it has. */
export const variants =
  (shapes: Readonly<Record<string, Readonly<Record<string, Shape>>>>): Shape =>
  (value) => {
    const type = (value as { readonly type?: unknown } | null | undefined)?.type
    const fields = typeof type === 'string' && Object.hasOwn(shapes, type) ? shapes[type] : undefined
    return fields === undefined ? issue('is of no known type') : object(fields)(value)
  }

const under = (step: string, found: Issue | undefined): Issue | undefined =>
  found && { ...found, path: [step, ...found.path] }

const first = (issues: readonly (Issue | undefined)[]): Issue | undefined => issues.find((each) => each !== undefined)
