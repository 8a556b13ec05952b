import test from 'ava'
import { rowsOf } from './rows.ts'
import { phaseTable, table } from './table.ts'

test('the table is Markdown with columns of one width, empty where nothing was measured', (t) => {
  const text = table(
    rowsOf([
      {
        name: 'cold-start',
        n: 1000,
        shape: 'single',
        contestant: 'ours',
        value: 5.4321,
        costs: { agent: 1.25, bfdd: 0 },
      },
      { name: 'cold-start', n: 1000, shape: 'per-vni', contestant: 'baseline', value: 151.7 },
      { name: 'no-op', n: 1000, shape: 'single', contestant: 'ours', value: 12, writes: 0, commands: 0 },
    ]),
  )
  const lines = text.split('\n')
  t.is(lines.length, 4)
  t.is(new Set(lines.map(({ length }) => length)).size, 1)
  const cells = lines.map((line) =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  )
  t.deepEqual(cells[2], [
    'cold-start',
    'single',
    '1000',
    's',
    '5.43',
    '152',
    '',
    '0.0358',
    '',
    '1/1/0',
    'agent 1.25',
    '',
  ])
  t.is(cells[3]?.at(-1), '0 writes, 0 commands')
  t.regex(lines[1] ?? '', /^\| -+ \| -+ \| -+: \|/)
})

test('where the time of passes went is a table of its own, of the rows that know it', (t) => {
  const sample = { n: 1000, shape: 'single', contestant: 'ours', value: 100 } as const
  const rows = rowsOf([
    { ...sample, name: 'add-one', phases: { looking: 5, 'making links': 12.34, removing: 0.01 } },
    { ...sample, name: 'add-one', phases: { looking: 7, 'making links': 14 } },
    { ...sample, name: 'no-op' },
  ])
  t.deepEqual(rows[0]?.phases, { looking: 6, 'making links': 13.17, removing: 0.005 })
  const lines = phaseTable(rows).split('\n')
  t.is(lines.length, 3)
  t.regex(lines[2] ?? '', /^\| add-one +\| single \| 1000 \| looking 6, making links 13\.2 +\|$/)
  t.is(phaseTable(rowsOf([{ ...sample, name: 'no-op' }])), '')
})
