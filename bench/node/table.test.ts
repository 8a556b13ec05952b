import test from 'ava'
import { rowsOf } from './rows.ts'
import { table } from './table.ts'

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
