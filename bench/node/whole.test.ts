import test from 'ava'
import { livesOf } from './lives.ts'
import { benchOptions, type BenchOptions } from './options.ts'
import { rowsOf } from './rows.ts'
import type { Sample } from './sample.ts'
import { lacking } from './whole.ts'

const options = benchOptions(['--quick', '--shapes', 'single']) as BenchOptions
const samples: readonly Sample[] = [
  { name: 'plan', n: 50, shape: 'single', contestant: 'ours', value: 4 },
  ...livesOf(options).flatMap(({ names, ...life }) =>
    names.map((name): Sample => ({ ...life, name, value: 1, ...(name === 'no-op' ? { writes: 0, commands: 0 } : {}) })),
  ),
]

test('a run that measured everything lacks nothing', (t) => {
  t.deepEqual(lacking(rowsOf(samples), options), [])
})

test('each row that is missing is named', (t) => {
  const left = samples.filter(({ name, contestant }) => name !== 'drift' || contestant !== 'ours')
  t.deepEqual(lacking(rowsOf(left), options), ['drift 50 single: not measured'])
  const planless = samples.filter(({ name }) => name !== 'plan')
  t.deepEqual(lacking(rowsOf(planless), options), ['plan 50 single: not measured'])
})

test('a no-op that wrote, and a value that is none, are named', (t) => {
  const wrote = samples.map((each) => (each.name === 'no-op' ? { ...each, writes: 1 } : each))
  t.deepEqual(lacking(rowsOf(wrote), options), ['no-op 50 single: 1 writes and 0 commands though nothing changed'])
  const mad = samples.map((each) => (each.name === 'drift' ? { ...each, value: NaN } : each))
  t.deepEqual(lacking(rowsOf(mad), options), ['drift 50 single: a value is not a number'])
})
