import test from 'ava'
import { UsageError } from '../../flags/flags.ts'
import { benchOptions, helpText } from './options.ts'
import { NAMES } from './sample.ts'

test('without flags everything is measured, five times', (t) => {
  const options = benchOptions([])
  t.deepEqual(options?.names, NAMES)
  t.deepEqual(options?.shapes, ['single', 'per-vni'])
  t.deepEqual(options?.contestants, ['ours', 'floor', 'baseline'])
  t.like(options, { samples: 5, minutes: 60, quick: false, long: false })
  t.is(benchOptions(['--long'])?.minutes, 240)
  t.is(benchOptions(['--long', '--minutes', '60'])?.minutes, 60)
})

test('a filter is a part of a name, or several', (t) => {
  t.deepEqual(benchOptions(['--filter', 'one'])?.names, ['add-one', 'delete-one'])
  t.deepEqual(benchOptions(['--filter', 'plan,cold'])?.names, ['cold-start', 'plan'])
})

test('quick is one sample, unless there is to be more', (t) => {
  t.like(benchOptions(['--quick']), { quick: true, samples: 1 })
  t.like(benchOptions(['--quick', '--samples', '2', '--json', 'x.json']), { samples: 2, json: 'x.json' })
})

test('sizes, shapes and contestants can be chosen', (t) => {
  const options = benchOptions(['--sizes', '100,1000', '--shapes', 'per-vni', '--only', 'ours,floor', '--long'])
  t.like(options, { sizes: [100, 1000], shapes: ['per-vni'], contestants: ['ours', 'floor'], long: true })
})

test('what cannot be used is named, with what can', (t) => {
  const refused = (...args: string[]) => t.throws(() => benchOptions(args), { instanceOf: UsageError }).message
  t.regex(refused('--filter', 'cold,nonsense'), /nonsense.*cold-start/)
  t.regex(refused('--samples', '0'), /--samples is "0"/)
  t.regex(refused('--sizes', 'many'), /--sizes is "many"/)
  t.regex(refused('--shapes', 'triple'), /triple.*single/)
  t.regex(refused('--only', 'theirs'), /theirs.*baseline/)
  t.regex(refused('more'), /unexpected argument "more"/)
})

test('help names every flag', (t) => {
  t.is(benchOptions(['--help']), undefined)
  for (const flag of ['quick', 'long', 'filter', 'samples', 'minutes', 'sizes', 'shapes', 'only', 'json', 'profile'])
    t.true(helpText().includes(`--${flag} `), flag)
})
