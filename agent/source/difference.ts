/** Where two pieces of data differ first, for people. */

/** `neighbors[0].holdTimeSeconds: 9 here, 90 there`; undefined when they are equal. Passwords are not shown. */
export function difference(here: unknown, there: unknown, path = ''): string | undefined {
  if (here === there) return undefined
  if (isObject(here) && isObject(there) && Array.isArray(here) === Array.isArray(there)) {
    for (const key of [...new Set([...Object.keys(here), ...Object.keys(there)])].sort()) {
      const step = Array.isArray(here) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`
      const found = difference(here[key], there[key], step)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (path.endsWith('password')) return `${path} is another`
  return `${path}: ${text(here)} in the files, ${text(there)} in the API`
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** An object that one side lacks may hold a password: it is not shown. */
const text = (value: unknown): string =>
  value === undefined ? 'nothing' : isObject(value) ? 'something' : JSON.stringify(value)
