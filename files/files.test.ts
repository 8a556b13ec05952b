import test from 'ava'
import * as fc from 'fast-check'
import type { FileReading } from './directory.ts'
import { goodTexts, merged, restored, type Files, type Parsed } from './files.ts'

/** Words are documents; a word that starts with "!" is a bad one; "throw" makes the parser throw. */
function parse(_file: string, text: string): Parsed<string> {
  if (text === 'throw') throw new Error('cannot parse')
  const words = text.split(' ').filter((word) => word !== '')
  const bad = words.filter((word) => word.startsWith('!'))
  return { documents: words.filter((word) => !bad.includes(word)), problems: bad.map((word) => `bad word ${word}`) }
}

const reading = (files: Record<string, string | FileReading>): ReadonlyMap<string, FileReading> =>
  new Map(Object.entries(files).map(([name, it]) => [name, typeof it === 'string' ? { type: 'text', text: it } : it]))
const documents = (files: Files<string>): string[] => [...files.values()].flatMap((state) => state.documents)
const problems = (files: Files<string>): string[] => [...files.values()].flatMap((state) => state.problems)
const none: Files<string> = new Map()

test('good files give their documents', (t) => {
  t.deepEqual(documents(merged(none, reading({ a: 'x y', b: 'z' }), parse)), ['x', 'y', 'z'])
})

test('a bad file leaves the rest and its own last good version', (t) => {
  const first = merged(none, reading({ a: 'x', b: 'y' }), parse)
  const second = merged(first, reading({ a: 'x2 !oops', b: 'y2' }), parse)
  t.deepEqual(documents(second), ['x', 'y2'])
  t.deepEqual(problems(second), ['bad word !oops'])
})

test('a bad file stays reported while it stays bad, and recovers', (t) => {
  let files = merged(none, reading({ a: 'x' }), parse)
  for (let pass = 0; pass < 3; pass++) files = merged(files, reading({ a: '!' }), parse)
  t.deepEqual([documents(files), problems(files)], [['x'], ['bad word !']])
  files = merged(files, reading({ a: 'x' }), parse)
  t.deepEqual([documents(files), problems(files)], [['x'], []])
})

test('a file that never had a good version gives its good documents', (t) => {
  t.deepEqual(documents(merged(none, reading({ a: 'x !y' }), parse)), ['x'])
})

test('a file that makes the parser throw is a bad file', (t) => {
  const files = merged(merged(none, reading({ a: 'x' }), parse), reading({ a: 'throw', b: 'y' }), parse)
  t.deepEqual(documents(files), ['x', 'y'])
  t.deepEqual(problems(files), ['cannot parse'])
})

test('an unreadable file keeps its documents, and becomes good again with the same text', (t) => {
  const first = merged(none, reading({ a: 'x' }), parse)
  const second = merged(first, reading({ a: { type: 'unreadable', message: 'EACCES' } }), parse)
  t.deepEqual([documents(second), problems(second)], [['x'], ['EACCES']])
  const third = merged(second, reading({ a: 'x' }), parse)
  t.deepEqual([documents(third), problems(third)], [['x'], []])
})

test('a file being written keeps its documents and asks for another look', (t) => {
  const files = merged(merged(none, reading({ a: 'x' }), parse), reading({ a: { type: 'unsettled' } }), parse)
  t.deepEqual(documents(files), ['x'])
  t.true(files.get('a')?.unsettled)
})

test('a deleted file takes its documents along, even a bad one', (t) => {
  const bad = merged(merged(none, reading({ a: 'x', b: 'y' }), parse), reading({ a: '!', b: 'y' }), parse)
  t.deepEqual(documents(merged(bad, reading({ b: 'y' }), parse)), ['y'])
})

test('after a restart a bad file falls back to the stored good text', (t) => {
  const files = merged(restored({ a: 'x', c: 'gone' }, parse), reading({ a: '!', b: 'y' }), parse)
  t.deepEqual(documents(files), ['x', 'y'])
  t.deepEqual(goodTexts(files), { a: 'x', b: 'y' })
})

test('whatever happened before, a directory of good files says just what they say', (t) => {
  const texts = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('x', 'y z', '!', 'x !', 'throw', ''))
  const good = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('x', 'y z', ''))
  fc.assert(
    fc.property(fc.array(texts), good, (history, last) => {
      const before = history.reduce((files, step) => merged(files, reading(step), parse), none)
      t.deepEqual(documents(merged(before, reading(last), parse)), documents(merged(none, reading(last), parse)))
    }),
  )
})
