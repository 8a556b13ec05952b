import test from 'ava'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { watchDirectory } from './watch-directory.ts'

/** `look` waits for a call; only inotify can make one when `rescanMs` is an hour. */
function watched(path: string, rescanMs: number, file?: string) {
  const controller = new AbortController()
  const { signal } = controller
  let next = Promise.withResolvers<void>()
  watchDirectory(path, { rescanMs, signal, ...(file === undefined ? {} : { file }) }, () => {
    next.resolve()
    next = Promise.withResolvers()
  })
  return { changed: () => next.promise, stop: () => controller.abort() }
}

const HOUR = 3_600_000
const directory = (): string => mkdtempSync(join(tmpdir(), 'nodeleaf-watch-'))

test('a file that is written or renamed into place is noticed at once', async (t) => {
  const path = directory()
  const watch = watched(path, HOUR)
  for (const act of [
    () => writeFileSync(join(path, 'a.yaml'), 'x'),
    () => writeFileSync(join(path, 'new'), 'y'),
    () => renameSync(join(path, 'new'), join(path, 'a.yaml')),
    () => rmSync(join(path, 'a.yaml')),
  ]) {
    const changed = watch.changed()
    act()
    await changed
  }
  watch.stop()
  t.pass()
})

test('a directory that comes later, goes and comes again is noticed by looking', async (t) => {
  const path = join(directory(), 'later')
  const watch = watched(path, 10)
  for (const act of [() => mkdirSync(path), () => rmSync(path, { recursive: true }), () => mkdirSync(path)]) {
    const changed = watch.changed()
    act()
    await changed
  }
  watch.stop()
  t.pass()
})

test('the file beside it counts too', async (t) => {
  const [path, file] = [directory(), join(directory(), 'node.yaml')]
  const watch = watched(path, 10, file)
  const changed = watch.changed()
  writeFileSync(file, 'index: 1')
  await changed
  watch.stop()
  t.pass()
})

test('nothing is told after the end', (t) => {
  const path = directory()
  let calls = 0
  const controller = new AbortController()
  controller.abort()
  watchDirectory(path, { rescanMs: 1, signal: controller.signal }, () => calls++)
  writeFileSync(join(path, 'a.yaml'), 'x')
  t.is(calls, 0)
})
