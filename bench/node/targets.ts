/** What was set out to be reached, and whether it is. Pure. */
import type { Row } from './rows.ts'
import type { Name } from './sample.ts'
import { markdown, shown } from './table.ts'

export interface Verdict {
  readonly target: string
  /** Absent: not measured in this run. */
  readonly measured?: number
  readonly most: number
}

type Field = 'ours' | 'ratioToBaseline' | 'ratioToFloor'

/** The single shape is what nodes get; the rows of the other say what it is worth. */
export function verdicts(rows: readonly Row[]): readonly Verdict[] {
  const value = (name: Name, n: number, field: Field): number | undefined =>
    rows.find((row) => row.name === name && row.n === n && row.shape === 'single' && !row.failed)?.[field] ?? undefined
  const growth = (name: Name, to: number, from: number): number | undefined => {
    const [large, small] = [value(name, to, 'ours'), value(name, from, 'ours')]
    return large === undefined || small === undefined ? undefined : large / small
  }
  const quiet = rows.filter((row) => row.name === 'no-op' && row.writes !== undefined)
  const all: readonly (readonly [target: string, measured: number | undefined, most: number])[] = [
    ['add-one at 1,000, to baseline', value('add-one', 1000, 'ratioToBaseline'), 0.01],
    ['add-one at 1,000, to floor', value('add-one', 1000, 'ratioToFloor'), 2],
    ['no-op: writes and commands', quiet.length === 0 ? undefined : Math.max(...quiet.map(doings)), 0],
    ['cold-start of 1,000, to baseline', value('cold-start', 1000, 'ratioToBaseline'), 0.2],
    ['cold-start of 1,000, to floor', value('cold-start', 1000, 'ratioToFloor'), 1.3],
    ['cold-start of 2,000 to that of 1,000', growth('cold-start', 2000, 1000), 2.4],
    ['add-one at 2,000 to that at 100', growth('add-one', 2000, 100), 1.5],
    ['delete-all of 1,000, to baseline', value('delete-all', 1000, 'ratioToBaseline'), 0.05],
    ['MiB with no VNI', value('memory', 0, 'ours'), 70],
    ['MiB with 1,000', value('memory', 1000, 'ours'), 90],
    ['CPU seconds a minute, idle with 1,000', value('idle', 1000, 'ours'), 0.2],
  ]
  return all.map(([target, measured, most]) => ({ target, most, ...(measured === undefined ? {} : { measured }) }))
}

/** As a table; '' when nothing was measured that has a target. */
export function verdictTable(rows: readonly Row[]): string {
  const measured = verdicts(rows).filter((each) => each.measured !== undefined)
  if (measured.length === 0) return ''
  const cells = measured.map(({ target, most, measured: value = 0 }) => [
    target,
    shown(most),
    shown(value),
    value <= most ? 'met' : most === 0 ? 'missed' : `missed, ${shown(value / most)} times the target`,
  ])
  return markdown(['target', 'at most', 'measured', ''], cells, new Set(['target', '']))
}

const doings = ({ writes = 0, commands = 0 }: Row): number => writes + commands
