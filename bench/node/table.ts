/** Tables in Markdown. */
import type { Row } from './rows.ts'
import type { Costs } from './sample.ts'

const COLUMNS: readonly (readonly [title: string, show: (row: Row) => string])[] = [
  ['row', ({ name }) => name],
  ['shape', ({ shape }) => shape],
  ['VNIs', ({ n }) => String(n)],
  ['unit', ({ unit }) => unit],
  ['ours', ({ ours }) => shown(ours)],
  ['baseline', ({ baseline }) => shown(baseline)],
  ['floor', ({ floor }) => shown(floor)],
  ['to baseline', ({ ratioToBaseline }) => shown(ratioToBaseline)],
  ['to floor', ({ ratioToFloor }) => shown(ratioToFloor)],
  ['samples', ({ values }) => [values.ours, values.baseline, values.floor].map(({ length }) => length).join('/')],
  ['CPU s of ours', ({ costs }) => costsText(costs.ours)],
  [
    '',
    ({ writes, commands, failed }) =>
      [
        ...(writes === undefined ? [] : [`${writes} writes, ${commands} commands`]),
        ...(failed ? ['does not hold'] : []),
      ].join(', '),
  ],
]
/** Columns of words; the others are numbers and stand at the right. */
const WORDS = new Set(['row', 'shape', 'unit', 'CPU s of ours', ''])

export function table(rows: readonly Row[]): string {
  const titles = COLUMNS.map(([title]) => title)
  return markdown(
    titles,
    rows.map((row) => COLUMNS.map(([, show]) => show(row))),
    WORDS,
  )
}

/** Where the time of the agent's passes went, of the rows that were changes; empty when there are none. */
export function phaseTable(rows: readonly Row[]): string {
  const told = rows.filter(({ phases }) => phases !== undefined)
  if (told.length === 0) return ''
  return markdown(
    ['row', 'shape', 'VNIs', "ms of the agent's passes"],
    told.map(({ name, shape, n, phases }) => [name, shape, String(n), phasesText(phases)]),
    new Set([...WORDS, "ms of the agent's passes"]),
  )
}

/** Columns aligned; those that are not of words have their cells at the right. */
export function markdown(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  words: ReadonlySet<string>,
): string {
  const cells = [titles, ...rows]
  const widths = titles.map((_, at) => Math.max(3, ...cells.map((line) => line[at]?.length ?? 0)))
  const isWord = titles.map((title) => words.has(title))
  const [head = [], ...body] = cells.map((line) =>
    line.map((cell, at) => (isWord[at] ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))),
  )
  const rule = widths.map((width, at) => (isWord[at] ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [head, rule, ...body].map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/** Three digits are what such figures are good for. */
export function shown(value: number | null): string {
  if (value === null) return ''
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}

const costsText = (costs: Costs | undefined): string => listed(costs, 0.01)
const phasesText = (phases: Costs | undefined): string => listed(phases, 0.1)

/** What is smaller than `least` is left out. */
function listed(costs: Costs | undefined, least: number): string {
  return Object.entries(costs ?? {})
    .filter(([, cost]) => cost >= least)
    .map(([what, cost]) => `${what} ${shown(cost)}`)
    .join(', ')
}
