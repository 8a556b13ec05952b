import test from 'ava'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { askAgent } from './status.ts'

test('an agent that does not answer is not waited for without end', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'nodeleaf-status-')), 'agent.sock')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(() => server.close())
  await t.throwsAsync(askAgent(path, 10), { message: /no agent answers on .*agent\.sock \(nothing for 0\.01 s\)/ })
})

test('where nobody listens the message says what to check', async (t) => {
  await t.throwsAsync(askAgent('/nowhere/agent.sock'), { message: /is nodeleaf-agent running here.*root/ })
})
