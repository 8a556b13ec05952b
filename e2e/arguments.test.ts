import test from 'ava'
import { parseArguments } from './arguments.ts'
import { SHAPES } from './job.ts'

test('without arguments everything is run in both shapes', (t) => {
  t.deepEqual(parseArguments([]), { help: false, list: false, shapes: SHAPES, names: [] })
})

test('a shape and names are taken in any order, a name once', (t) => {
  const { shapes, names } = parseArguments(['bfd', '--datapath', 'single', 'fabric', 'bfd'])
  t.deepEqual([shapes, names], [['single'], ['bfd', 'fabric']])
  t.deepEqual(parseArguments(['--datapath', 'both']).shapes, SHAPES)
})

test('what is there can be asked for, and how to ask', (t) => {
  t.true(parseArguments(['--list']).list)
  t.true(parseArguments(['--help']).help)
  t.true(parseArguments(['-h']).help)
})

test('what is not there is refused', (t) => {
  t.throws(() => parseArguments(['--lsit']), { message: /no option --lsit.*--help/ })
  t.throws(() => parseArguments(['--datapath', 'double']), { message: /single, per-vni or both, not double/ })
  t.throws(() => parseArguments(['--datapath']), { message: /not nothing/ })
})
