/** "Did you mean": the known word that is nearest to what was written. */

/** Undefined when nothing is near: more than a third of the letters differ, and nothing begins with it. */
export function suggest(written: string, known: readonly string[]): string | undefined {
  const lower = written.toLowerCase()
  const near = known
    .map((word) => ({ word, distance: distance(lower, word.toLowerCase()) }))
    .filter(({ word, distance: far }) => far <= Math.max(1, Math.floor(Math.max(word.length, written.length) / 3)))
    .sort((a, b) => a.distance - b.distance)
  const longer = known.find((word) => lower.length >= 4 && word.toLowerCase().startsWith(lower))
  return near[0]?.word ?? longer
}

/** Letters to add, drop, replace, or swap with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : replaced
      row.push(Math.min(replaced, swapped, at(i - 1, j) + 1, at(i, j - 1) + 1))
    }
  }
  return at(a.length, b.length)
}
