import test from 'ava'
import { livesOf, sizesOf } from './lives.ts'
import { benchOptions, type BenchOptions } from './options.ts'
import { NAMES } from './sample.ts'

const options = (...args: string[]): BenchOptions => benchOptions(args) as BenchOptions
const lives = (...args: string[]) => livesOf(options(...args))

test('sizes: those of each row, those of --quick, those that are asked for', (t) => {
  t.deepEqual(sizesOf('cold-start', options()), [100, 500, 1000, 2000])
  t.deepEqual(sizesOf('memory', options()), [0, 1000, 2000])
  t.deepEqual(sizesOf('cold-start', options('--quick')), [50])
  t.deepEqual(sizesOf('memory', options('--sizes', '300')), [0, 300])
  t.deepEqual(sizesOf('plan', options('--sizes', '300')), [5000])
})

test('rows that need a new node have one life a sample, the others take all samples from the first', (t) => {
  const ours = lives('--filter', 'cold-start,add-one', '--sizes', '100', '--only', 'ours', '--shapes', 'single')
  t.is(ours.length, 5)
  t.deepEqual(
    ours.map(({ names }) => names.length),
    [2, 1, 1, 1, 1],
  )
  const once = lives('--filter', 'add-one', '--sizes', '100', '--only', 'ours', '--shapes', 'single')
  t.deepEqual(
    once.map(({ round, samples }) => [round, samples]),
    [[0, 5]],
  )
})

test('memory is that of a new node each time, as what was done before shows in it', (t) => {
  const rounds = (n: number) =>
    lives('--filter', 'memory', '--only', 'ours', '--shapes', 'single')
      .filter((life) => life.n === n && life.names.includes('memory'))
      .map(({ round }) => round)
  t.deepEqual(rounds(0), [0, 1, 2, 3, 4])
  t.deepEqual(rounds(1000), [0, 1, 2, 3, 4])
})

test('quick has every row that needs a node, of everybody, at most at 50 VNIs', (t) => {
  const quick = lives('--quick')
  t.deepEqual(new Set(quick.map(({ n }) => n)), new Set([0, 50]))
  const ours = new Set(quick.filter(({ contestant }) => contestant === 'ours').flatMap(({ names }) => names))
  t.deepEqual([...ours].toSorted(), NAMES.filter((name) => name !== 'plan').toSorted())
  t.deepEqual(new Set(quick.map(({ contestant }) => contestant)), new Set(['ours', 'floor', 'baseline'] as const))
})

test('what only the agent has is measured of it alone, and nobody else has a node without VNIs', (t) => {
  for (const { contestant, names, n } of lives()) {
    if (contestant === 'ours') continue
    t.true(n > 0)
    t.false(names.some((name) => ['memory', 'start', 'idle'].includes(name)))
  }
})

test('thousands of bridges are for --long', (t) => {
  const most = (all: ReturnType<typeof lives>, who: string, shape: string) =>
    Math.max(...all.filter((life) => life.contestant === who && life.shape === shape).map(({ n }) => n))
  t.is(most(lives(), 'ours', 'per-vni'), 100)
  t.is(most(lives(), 'ours', 'single'), 2000)
  t.is(most(lives('--long'), 'ours', 'per-vni'), 2000)
  t.is(most(lives('--long'), 'baseline', 'per-vni'), 2000)
  t.is(most(lives('--sizes', '1500'), 'ours', 'per-vni'), 1500)
})

test('everything has a sample before anything has two, and then the baseline comes last', (t) => {
  const all = lives()
  t.deepEqual(
    all.map(({ round }) => round),
    all.map(({ round }) => round).toSorted((a, b) => a - b),
  )
  const second = all.filter(({ round }) => round === 1).map(({ contestant }) => contestant)
  t.deepEqual(second.slice(second.indexOf('baseline')), ['baseline', 'baseline'])
})

test('the baseline has one shape, whatever ours have', (t) => {
  const baseline = lives('--quick', '--shapes', 'single').filter(({ contestant }) => contestant === 'baseline')
  t.deepEqual(new Set(baseline.map(({ shape }) => shape)), new Set(['per-vni'] as const))
})
