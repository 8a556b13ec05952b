/** Whether a run measured everything it should have. Pure. */
import { livesOf, sizesOf } from './lives.ts'
import type { BenchOptions } from './options.ts'
import type { Row } from './rows.ts'
import type { Name, Shape } from './sample.ts'

/** What is missing or makes no sense, in words; empty: the rows are whole. */
export function lacking(rows: readonly Row[], options: BenchOptions): readonly string[] {
  return [...missing(rows, options), ...rows.flatMap(nonsense)]
}

function missing(rows: readonly Row[], options: BenchOptions): string[] {
  if (!options.contestants.includes('ours')) return []
  const wanted: [Name, Shape, number][] = livesOf(options)
    .filter(({ contestant, round }) => contestant === 'ours' && round === 0)
    .flatMap(({ names, shape, n }) => names.map((name): [Name, Shape, number] => [name, shape, n]))
  if (options.names.includes('plan')) for (const n of sizesOf('plan', options)) wanted.push(['plan', 'single', n])
  return wanted
    .filter(
      ([name, shape, n]) =>
        !rows.some((row) => row.name === name && row.shape === shape && row.n === n && row.ours !== null),
    )
    .map(([name, shape, n]) => `${name} ${n} ${shape}: not measured`)
}

function nonsense(row: Row): string[] {
  const { name, n, shape, ours, baseline, floor, samples, values, writes, commands } = row
  const wrong = [
    ...([ours, baseline, floor].some((value) => value !== null && !(value >= 0)) ? ['a value is not a number'] : []),
    ...(samples === values.ours.length ? [] : ['samples are not as many as there are values']),
    ...(ours === null || name !== 'no-op' || (writes === 0 && commands === 0)
      ? []
      : [`${writes} writes and ${commands} commands though nothing changed`]),
  ]
  return wrong.map((text) => `${name} ${n} ${shape}: ${text}`)
}
