import test from 'ava'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readResources } from './resources.ts'

const directory = (): string => mkdtempSync(join(tmpdir(), 'nodeleaf-resources-'))

test('a file that is not there is named', (t) => {
  t.throws(() => readResources(['nope.yaml']), { message: 'nope.yaml cannot be read: there is no such file' })
})

test('several files in one -f are told apart', (t) => {
  t.throws(() => readResources(['a.yaml,b.yaml']), { message: /repeat -f for each file$/ })
})

test('a directory among the files of a directory is named', (t) => {
  const path = directory()
  mkdirSync(join(path, 'sub.yaml'))
  t.throws(() => readResources([path]), { message: /sub\.yaml cannot be read: it is a directory/ })
})

test('a directory without files gives nothing', (t) => {
  t.deepEqual(readResources([directory()]).documents, [])
})
