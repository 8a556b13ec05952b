/** "Did you mean": the known word that is nearest to what was written. */

/** Undefined when nothing is near: more than a third of the letters differ. */
export function suggest(written: string, known: readonly string[]): string | undefined {
  const near = known
    .map((word) => ({ word, distance: distance(written.toLowerCase(), word.toLowerCase()) }))
    .filter(({ word, distance: far }) => far <= Math.max(1, Math.floor(Math.max(word.length, written.length) / 3)))
  return near.sort((a, b) => a.distance - b.distance)[0]?.word
}

/** Levenshtein: letters to add, drop or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
