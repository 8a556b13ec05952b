import test from 'ava'
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fingerprint, isConfigFile, readDirectory } from './directory.ts'

const directory = (): string => mkdtempSync(join(tmpdir(), 'nodeleaf-directory-'))
const later = Date.now() + 60_000

function files(path: string, now = later): Record<string, unknown> {
  const reading = readDirectory(path, now)
  return reading.type === 'read' ? Object.fromEntries(reading.files) : { away: reading.message }
}

for (const name of ['.a.yaml.swp', '.a.yaml', '#a.yaml#', 'a.yaml~', '4913', 'a.yaml.bak', 'a.txt', '..data']) {
  test(`${name} is not a configuration file`, (t) => t.false(isConfigFile(name)))
}

for (const name of ['a.yaml', 'a.yml', 'a.json', '10-a.b.yaml']) {
  test(`${name} is a configuration file`, (t) => t.true(isConfigFile(name)))
}

test('an empty directory is read, a missing one is away', (t) => {
  const path = directory()
  t.deepEqual(readDirectory(path, later), { type: 'read', files: new Map() })
  t.is(readDirectory(join(path, 'missing'), later).type, 'away')
})

test('links to files are followed, one that leads nowhere is reported', (t) => {
  const path = directory()
  mkdirSync(join(path, '..data'))
  writeFileSync(join(path, '..data', 'a.yaml'), 'text')
  symlinkSync(join(path, '..data', 'a.yaml'), join(path, 'a.yaml'))
  symlinkSync(join(path, 'nowhere'), join(path, 'b.yaml'))
  const read = files(path)
  t.deepEqual(read['a.yaml'], { type: 'text', text: 'text' })
  t.is((read['b.yaml'] as { type: string }).type, 'unreadable')
})

test('a directory named like a file is reported', (t) => {
  const path = directory()
  mkdirSync(join(path, 'a.yaml'))
  t.regex((files(path)['a.yaml'] as { message: string }).message, /is a directory/)
})

test('a device, a file of bytes and one too large to parse in time are reported', (t) => {
  const path = directory()
  symlinkSync('/dev/zero', join(path, 'device.yaml'))
  writeFileSync(join(path, 'binary.yaml'), Buffer.from([0x61, 0x3a, 0xff, 0xfe]))
  writeFileSync(join(path, 'nulls.yaml'), Buffer.alloc(100))
  writeFileSync(join(path, 'huge.yaml'), '')
  truncateSync(join(path, 'huge.yaml'), 200_000_000)
  const said = Object.values(files(path)).map((reading) => (reading as { message?: string }).message ?? 'read')
  const expected = [
    'binary.yaml is not text',
    'device.yaml is not a file',
    'huge.yaml has 200000000',
    'nulls.yaml is not text',
  ]
  for (const [at, message] of expected.entries()) t.true(said[at]?.includes(message), said[at])
})

test('an empty file is believed only when it is not young', (t) => {
  const path = directory()
  writeFileSync(join(path, 'a.yaml'), '')
  const { mtimeMs } = statSync(join(path, 'a.yaml'))
  t.deepEqual(files(path, mtimeMs + 1), { 'a.yaml': { type: 'unsettled' } })
  t.deepEqual(files(path), { 'a.yaml': { type: 'text', text: '' } })
})

test('an empty file from the future is believed', (t) => {
  const path = directory()
  writeFileSync(join(path, 'a.yaml'), '')
  t.deepEqual(files(path, Date.now() - 3_600_000), { 'a.yaml': { type: 'text', text: '' } })
})

test('a named pipe is reported, not waited for', (t) => {
  const path = directory()
  execFileSync('mkfifo', [join(path, 'a.yaml')])
  t.regex((files(path)['a.yaml'] as { message: string }).message, /is not a file/)
})

test('a link to itself is reported, and hides no change of the other files', (t) => {
  const path = directory()
  symlinkSync('a.yaml', join(path, 'a.yaml'))
  t.is((files(path)['a.yaml'] as { type: string }).type, 'unreadable')
  const before = fingerprint(path)
  writeFileSync(join(path, 'b.yaml'), 'text')
  t.not(fingerprint(path), before)
})

test('the fingerprint differs after every kind of change', (t) => {
  const path = directory()
  const seen = new Set([fingerprint(path)])
  const differs = (): void => {
    const now = fingerprint(path)
    t.false(seen.has(now))
    seen.add(now)
  }
  writeFileSync(join(path, 'a.yaml'), 'one')
  differs()
  writeFileSync(join(path, 'new'), 'two')
  renameSync(join(path, 'new'), join(path, 'a.yaml'))
  differs()
  utimesSync(join(path, 'a.yaml'), 1, 1)
  differs()
  rmSync(path, { recursive: true })
  differs()
})
