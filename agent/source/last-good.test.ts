import test from 'ava'
import * as fc from 'fast-check'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LastGoodStore, removeLastGood } from './last-good.ts'
import { decode, LastGoodError, sealed, type LastGood } from './last-good-file.ts'

const directory = (): string => mkdtempSync(join(tmpdir(), 'nodeleaf-last-good-'))
const value = (revision: string): LastGood => ({
  revision,
  plan: { node: 'n1', vrfs: [], segments: [] },
  refused: [],
  files: { 'a.yaml': 'kind: Secret # \u00e4' },
})

const loadLastGood = (dir: string) => new LastGoodStore(dir).load()
const saveLastGood = (dir: string, saved: LastGood) => new LastGoodStore(dir).save(saved)

test('what was saved is loaded', (t) => {
  const dir = directory()
  saveLastGood(dir, value('1'))
  t.deepEqual(loadLastGood(dir), { lastGood: value('1'), changed: false, problems: [] })
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
  t.deepEqual(loadLastGood(directory()), { changed: false, problems: [] })
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
  const whole = Buffer.from(sealed(value('1')).text)
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
  const { dir: other } = withChanges()
  removeLastGood(other)
  t.deepEqual(readdirSync(other), [])
})

test('a directory that cannot be written is an error with a remedy', (t) => {
  const file = join(directory(), 'file')
  writeFileSync(file, '')
  const error = t.throws(() => saveLastGood(join(file, 'state'), value('1')), { instanceOf: LastGoodError })
  t.is(error.code, 'UNWRITABLE')
})

/** A plan that is large enough for changes to be stored alone. */
const large = (): LastGood => ({
  ...value('0'),
  files: { 'a.yaml': '#'.repeat(70_000) },
  controller: { revision: '0', pieces: { router: '{}' }, refused: [], refusedDigest: '' },
})
const change = (revision: string, set: Record<string, string>, remove: string[] = []) => ({ revision, set, remove })

/** A directory with a large plan and three changes, the last of which takes the first one's piece away. */
function withChanges() {
  const dir = directory()
  const store = new LastGoodStore(dir)
  store.save(large())
  const taken = [
    store.append(change('1', { 'segment/1': '{"a":1}' })),
    store.append(change('2', { 'segment/2': '{"b":2}' })),
    store.append(change('3', {}, ['segment/1'])),
  ]
  return { dir, store, taken, file: join(dir, 'last-good.changes') }
}

const controllerOf = (dir: string) => {
  const { lastGood, changed } = loadLastGood(dir)
  return { changed, revision: lastGood?.controller?.revision, keys: Object.keys(lastGood?.controller?.pieces ?? {}) }
}

test('of a large plan changes are added, and loaded with it', (t) => {
  const { dir, taken, store, file } = withChanges()
  t.deepEqual(taken, [true, true, true])
  t.deepEqual(controllerOf(dir), { changed: true, revision: '3', keys: ['router', 'segment/2'] })
  t.is(statSync(file).mode & 0o777, 0o600)
  store.save(large())
  t.deepEqual(controllerOf(dir), { changed: false, revision: '0', keys: ['router'] }, 'a whole plan begins anew')
  t.true(store.append(change('9', { 'segment/9': '{}' })))
  t.deepEqual(controllerOf(dir), { changed: true, revision: '9', keys: ['router', 'segment/9'] })
})

test('a small plan is stored whole, and so is one with many changes', (t) => {
  const dir = directory()
  const store = new LastGoodStore(dir)
  t.false(store.append(change('1', {})), 'nothing is there yet')
  store.save(value('1'))
  t.false(store.append(change('2', {})))
  store.save(large())
  let count = 0
  while (store.append(change(String(count), { 'segment/1': 'x'.repeat(1000) }))) count++
  t.true(count > 10 && count < 100, String(count))
})

test('after a boot changes go on behind those that are there', (t) => {
  const { dir } = withChanges()
  const booted = new LastGoodStore(dir)
  booted.load()
  t.true(booted.append(change('4', { 'segment/4': '{}' })))
  t.deepEqual(controllerOf(dir).keys, ['router', 'segment/2', 'segment/4'])
})

test('a change that a crash cut off counts as never made, wherever it was cut, and the next one takes its place', (t) => {
  const { dir, file } = withChanges()
  const whole = readFileSync(file)
  const last = whole.lastIndexOf('\n', whole.length - 2) + 1
  for (let length = last; length < whole.length; length++) {
    writeFileSync(file, whole.subarray(0, length))
    const booted = new LastGoodStore(dir)
    t.deepEqual(booted.load().problems, [])
    t.deepEqual(controllerOf(dir), { changed: true, revision: '2', keys: ['router', 'segment/1', 'segment/2'] })
    if (length % 20 > 0) continue
    t.true(booted.append(change('5', { 'segment/5': '{}' })))
    t.deepEqual(controllerOf(dir).keys, ['router', 'segment/1', 'segment/2', 'segment/5'])
  }
})

test('any change of any byte of the changes loses nothing before it', (t) => {
  const { dir, file } = withChanges()
  const whole = readFileSync(file)
  const revisions = ['0', '1', '2', '3']
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ flip
      writeFileSync(file, bytes)
      const before = whole.subarray(0, at).toString().split('\n').length - 2
      t.is(controllerOf(dir).revision, revisions[Math.max(0, before)])
    }),
    { numRuns: 200 },
  )
  const middle = Buffer.from(whole)
  middle[whole.length - 90] = 0
  writeFileSync(file, Buffer.concat([middle, Buffer.from('\n')]))
  t.regex(loadLastGood(dir).problems[0]?.message ?? '', /last-good\.changes is damaged/)
})

test('with one generation damaged the changes still count with the other', (t) => {
  const { dir } = withChanges()
  appendFileSync(join(dir, 'last-good'), 'x')
  t.deepEqual(controllerOf(dir), { changed: true, revision: '3', keys: ['router', 'segment/2'] })
  rmSync(join(dir, 'last-good.previous'))
  t.is(controllerOf(dir).revision, undefined)
})

test('changes of another plan are passed over', (t) => {
  const { dir, file } = withChanges()
  const changes = readFileSync(file)
  saveLastGood(dir, { ...large(), revision: 'x' })
  writeFileSync(file, changes)
  t.deepEqual(controllerOf(dir), { changed: false, revision: '0', keys: ['router'] })
})

test('a change that cannot be written is an error, and the one before stays the last', (t) => {
  const { dir, store, file } = withChanges()
  const before = readFileSync(file)
  rmSync(file)
  t.throws(() => store.append(change('4', {})), { code: 'UNWRITABLE' })
  writeFileSync(file, Buffer.concat([before, Buffer.from('half of a li')]))
  t.true(store.append(change('5', { 'segment/5': '{}' })))
  t.deepEqual(controllerOf(dir).keys, ['router', 'segment/2', 'segment/5'])
})

function throwsDamaged(text: string): boolean {
  try {
    decode(text, 'x')
    return false
  } catch (error) {
    return error instanceof LastGoodError && error.code === 'DAMAGED'
  }
}
