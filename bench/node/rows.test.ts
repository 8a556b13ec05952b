import test from 'ava'
import { median, rowsOf } from './rows.ts'
import type { Contestant, Sample, Shape } from './sample.ts'

const sample = (contestant: Contestant, value: number, more: Partial<Sample> = {}): Sample => ({
  name: 'add-one',
  n: 100,
  shape: (contestant === 'baseline' ? 'per-vni' : 'single') satisfies Shape,
  contestant,
  value,
  ...more,
})

test('the median is the middle one, or the mean of the two in the middle; of nothing there is none', (t) => {
  t.is(median([3, 1, 2]), 2)
  t.is(median([4, 1, 2, 3]), 2.5)
  t.is(median([7]), 7)
  t.is(median([]), null)
})

test('a row has medians, ratios of ours to the others, and every sample', (t) => {
  const [row, ...rest] = rowsOf([
    sample('ours', 30),
    sample('ours', 10),
    sample('ours', 20),
    sample('baseline', 2000),
    sample('floor', 40),
  ])
  t.deepEqual(rest, [])
  t.like(row, {
    name: 'add-one',
    n: 100,
    shape: 'single',
    ours: 20,
    baseline: 2000,
    floor: 40,
    unit: 'ms',
    ratioToBaseline: 0.01,
    ratioToFloor: 0.5,
    samples: 3,
  })
  t.deepEqual(row?.values, { ours: [30, 10, 20], floor: [40], baseline: [2000] })
})

test('the baseline has one shape and stands beside both of ours; the floor is of the same shape', (t) => {
  const rows = rowsOf([
    sample('ours', 10),
    sample('ours', 20, { shape: 'per-vni' }),
    sample('floor', 5),
    sample('floor', 8, { shape: 'per-vni' }),
    sample('baseline', 100),
  ])
  t.deepEqual(
    rows.map(({ shape, ours, baseline, floor }) => [shape, ours, baseline, floor]),
    [
      ['single', 10, 100, 5],
      ['per-vni', 20, 100, 8],
    ],
  )
})

test('what was not measured is null, and so is a ratio to nothing', (t) => {
  const [row] = rowsOf([sample('ours', 3, { name: 'idle' }), sample('floor', 0, { name: 'idle' })])
  t.like(row, { ours: 3, baseline: null, floor: 0, ratioToBaseline: null, ratioToFloor: null })
  const [lone] = rowsOf([sample('baseline', 5)])
  t.like(lone, { shape: 'per-vni', ours: null, baseline: 5, samples: 0 })
})

test('of no-op the most that one sample wrote counts', (t) => {
  const quiet = { name: 'no-op', writes: 0, commands: 0 } as const
  const [row] = rowsOf([
    sample('ours', 1, quiet),
    sample('ours', 1, { ...quiet, commands: 2 }),
    sample('ours', 1, quiet),
  ])
  t.is(row?.writes, 0)
  t.is(row?.commands, 2)
  t.false('writes' in (rowsOf([sample('ours', 1)])[0] ?? {}))
})

test('rows stand in the order of the names, the shapes and the sizes', (t) => {
  const rows = rowsOf([
    sample('ours', 1, { name: 'plan', n: 5000 }),
    sample('ours', 1, { n: 1000 }),
    sample('ours', 1, { shape: 'per-vni' }),
    sample('ours', 1),
    sample('ours', 1, { name: 'cold-start' }),
  ])
  t.deepEqual(
    rows.map(({ name, shape, n }) => `${name} ${shape} ${n}`),
    ['cold-start single 100', 'add-one single 100', 'add-one single 1000', 'add-one per-vni 100', 'plan single 5000'],
  )
})

test('costs are medians by program', (t) => {
  const costs = (agent: number, zebra: number) => ({ costs: { agent, zebra } })
  const [row] = rowsOf([sample('ours', 1, costs(1, 5)), sample('ours', 1, costs(3, 6)), sample('ours', 1, costs(2, 7))])
  t.deepEqual(row?.costs, { ours: { agent: 2, zebra: 6 } })
})

test("a mistake fails its row, the baseline's in both shapes", (t) => {
  const samples = [
    sample('ours', 1),
    sample('ours', 1, { shape: 'per-vni' }),
    sample('baseline', 2),
    sample('ours', 1, { n: 5 }),
  ]
  const mistake = { name: 'add-one', n: 100, text: 'zebra lacks it' } as const
  const failed = (...mistakes: Parameters<typeof rowsOf>[1] & {}) => rowsOf(samples, mistakes).map((row) => row.failed)
  t.deepEqual(failed({ ...mistake, shape: 'single', contestant: 'ours' }), [
    undefined,
    ['ours: zebra lacks it'],
    undefined,
  ])
  const both = failed({ ...mistake, shape: 'per-vni', contestant: 'baseline' })
  t.deepEqual(both, [undefined, ['baseline: zebra lacks it'], ['baseline: zebra lacks it']])
})
