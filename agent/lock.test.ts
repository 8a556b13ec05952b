import test from 'ava'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lock, lockNames, LockError } from './lock.ts'

const names = (netns: string): string[] => lockNames(mkdtempSync(join(tmpdir(), 'nodeleaf-lock-')), netns)

test('what is held cannot be taken, and can again when it was let go', async (t) => {
  const wanted = names(`a${process.pid}`)
  const first = await lock(wanted)
  await t.throwsAsync(lock(wanted), { instanceOf: LockError, message: /stop it first/ })
  await first[Symbol.asyncDispose]()
  await using second = await lock(wanted)
  t.truthy(second)
})

test('a state directory is locked even for another namespace, and nothing else is kept', async (t) => {
  const [state = '', netns = ''] = names(`b${process.pid}`)
  await using first = await lock([state])
  t.truthy(first)
  await t.throwsAsync(lock([netns, state]), { instanceOf: LockError })
  await using second = await lock([netns])
  t.truthy(second)
})
