import test from 'ava'
import { UsageError } from '../../flags/flags.ts'
import { helpText, simulationOptions } from './options.ts'

test('without flags it is a thousand agents and every phase', (t) => {
  const options = simulationOptions([])
  t.like(options, { agents: 1000, vnis: 2000, crowds: 2, quick: false, bare: false, sources: false })
  t.deepEqual([...(options?.phases ?? [])], ['one', 'few', 'burst', 'chatter', 'restart'])
})

test('quick is small, unless there is to be more', (t) => {
  t.like(simulationOptions(['--quick']), { quick: true, agents: 50, vnis: 50, repeats: 1 })
  t.like(simulationOptions(['--quick', '--agents', '7']), { quick: true, agents: 7 })
})

test('flags for Node.js are words, as many as there are', (t) => {
  const { nodeFlags, bare } = simulationOptions(['--bare', '--node-flags=--a  --b=1']) ?? {}
  t.deepEqual([bare, nodeFlags], [true, ['--a', '--b=1']])
  t.deepEqual(simulationOptions([])?.nodeFlags, [])
})

test('what is not there is refused', (t) => {
  for (const args of [
    ['--agents', '2'],
    ['--vnis', '0'],
    ['--phases', 'two'],
    ['--program', 'x'],
    ['extra'],
    ['--fast'],
  ])
    t.throws(() => simulationOptions(args), { instanceOf: UsageError }, args.join(' '))
})

test('help names every flag', (t) => {
  t.is(simulationOptions(['--help']), undefined)
  for (const flag of ['quick', 'bare', 'agents', 'phases', 'json'])
    t.regex(helpText(), new RegExp(`^  --${flag}\\b`, 'm'))
})
