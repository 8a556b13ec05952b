/** Where a value stands in an object. */

export type Path = readonly (string | number)[]

/** `spec.neighbors[0].address`; keys that are no plain words are quoted: `metadata.labels["a/b"]`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return `${text}[${JSON.stringify(key)}]`
    return text === '' ? key : `${text}.${key}`
  }, '')
}

/** The value there, undefined where the path leads nowhere. */
export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined
    return (value as Record<string | number, unknown>)[key]
  }, root)
}

/** Whether `path` is `start` or stands beneath it. */
export function isBeneath(path: Path, start: Path): boolean {
  return start.every((key, i) => path[i] === key)
}
