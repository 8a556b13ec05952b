import test from 'ava'
import { rowsOf } from './rows.ts'
import type { Contestant, Name, Sample } from './sample.ts'
import { verdicts, verdictTable } from './targets.ts'

const sample = (name: Name, n: number, contestant: Contestant, value: number): Sample => ({
  name,
  n,
  shape: contestant === 'baseline' ? 'per-vni' : 'single',
  contestant,
  value,
})

test('a target is met up to its limit, and beyond it is told by how much it is missed', (t) => {
  const rows = rowsOf([
    sample('cold-start', 1000, 'ours', 20),
    sample('cold-start', 1000, 'baseline', 100),
    sample('cold-start', 1000, 'floor', 10),
    sample('cold-start', 2000, 'ours', 40),
  ])
  const measured = verdicts(rows).flatMap(({ target, measured: value }) =>
    value === undefined ? [] : [[target, value]],
  )
  t.deepEqual(measured, [
    ['cold-start of 1,000, to baseline', 0.2],
    ['cold-start of 1,000, to floor', 2],
    ['cold-start of 2,000 to that of 1,000', 2],
  ])
  const lines = verdictTable(rows).split('\n')
  t.regex(lines[2] ?? '', /0\.2 \|\s+0\.2 \| met/)
  t.regex(lines[3] ?? '', /1\.3 \|\s+2 \| missed, 1\.54 times the target/)
})

test('what was not measured, or failed, has no verdict', (t) => {
  t.is(verdictTable([]), '')
  const samples = [sample('memory', 0, 'ours', 60)]
  t.not(verdictTable(rowsOf(samples)), '')
  const mistake = { name: 'memory', n: 0, shape: 'single', contestant: 'ours', text: 'no' } as const
  t.is(verdictTable(rowsOf(samples, [mistake])), '')
})

test('one write of any no-op misses', (t) => {
  const quiet = { ...sample('no-op', 100, 'ours', 1), writes: 0, commands: 0 }
  t.regex(verdictTable(rowsOf([quiet])), /\| met/)
  t.regex(verdictTable(rowsOf([quiet, { ...quiet, n: 1000, writes: 1 }])), /\| missed +\|/)
})
