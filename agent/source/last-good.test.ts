import test from 'ava'
import * as fc from 'fast-check'
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  decode,
  encode,
  LastGoodError,
  loadLastGood,
  removeLastGood,
  saveLastGood,
  type LastGood,
} from './last-good.ts'

const directory = (): string => mkdtempSync(join(tmpdir(), 'nodeleaf-last-good-'))
const value = (revision: string): LastGood => ({
  revision,
  plan: { node: 'n1', vrfs: [], segments: [] },
  refused: [],
  files: { 'a.yaml': 'kind: Secret # \u00e4' },
})

test('what was saved is loaded', (t) => {
  const dir = directory()
  saveLastGood(dir, value('1'))
  t.deepEqual(loadLastGood(dir), { lastGood: value('1'), problems: [] })
})

test('only its owner may read it, and no temporary file is left', (t) => {
  const dir = join(directory(), 'state')
  saveLastGood(dir, value('1'))
  saveLastGood(dir, value('2'))
  t.deepEqual(readdirSync(dir).sort(), ['last-good', 'last-good.previous'])
  t.is(statSync(join(dir, 'last-good')).mode & 0o777, 0o600)
  t.is(statSync(join(dir, 'last-good.previous')).mode & 0o777, 0o600)
  t.is(statSync(dir).mode & 0o777, 0o700)
})

test('an empty state directory is no problem', (t) => {
  t.deepEqual(loadLastGood(directory()), { problems: [] })
})

test('a damaged file is reported and the previous generation is used', (t) => {
  const dir = directory()
  saveLastGood(dir, value('1'))
  saveLastGood(dir, value('2'))
  const text = readFileSync(join(dir, 'last-good'), 'utf8')
  writeFileSync(join(dir, 'last-good'), text.slice(0, -10))
  const { lastGood, problems } = loadLastGood(dir)
  t.is(lastGood?.revision, '1')
  t.deepEqual(
    problems.map((problem) => problem.code),
    ['DAMAGED'],
  )
})

test('a file of another format is reported, not parsed', (t) => {
  const dir = directory()
  writeFileSync(join(dir, 'last-good'), 'nodeleaf-last-good 2 sha256:00\n{}\n')
  const { lastGood, problems } = loadLastGood(dir)
  t.is(lastGood, undefined)
  t.regex(problems[0]?.message ?? '', /format/)
})

test('any change of any byte is noticed', (t) => {
  const whole = Buffer.from(encode(value('1')))
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ flip
      return throwsDamaged(bytes.toString('utf8'))
    }),
  )
  fc.assert(
    fc.property(fc.nat(whole.length - 1), (length) => throwsDamaged(whole.subarray(0, length).toString('utf8'))),
  )
  t.pass()
})

test('removal leaves nothing', (t) => {
  const dir = directory()
  saveLastGood(dir, value('1'))
  saveLastGood(dir, value('2'))
  removeLastGood(dir)
  t.deepEqual(readdirSync(dir), [])
})

test('a directory that cannot be written is an error with a remedy', (t) => {
  const file = join(directory(), 'file')
  writeFileSync(file, '')
  const error = t.throws(() => saveLastGood(join(file, 'state'), value('1')), { instanceOf: LastGoodError })
  t.is(error.code, 'UNWRITABLE')
})

function throwsDamaged(text: string): boolean {
  try {
    decode(text, 'x')
    return false
  } catch (error) {
    return error instanceof LastGoodError && error.code === 'DAMAGED'
  }
}
