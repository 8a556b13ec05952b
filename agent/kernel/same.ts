/** Whether two values of plain data are alike; many times faster than node:util's, which asks about prototypes too. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((value, at) => same(value, b[at]))
  }
  if (Array.isArray(b)) return false
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  let members = 0
  for (const name in left) {
    if (!same(left[name], right[name]) || !(name in right)) return false
    members++
  }
  for (const _ in right) members--
  return members === 0
}
