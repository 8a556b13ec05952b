import test from 'ava'
import type { AddressInfo } from 'node:net'
import { apply } from './kernel/apply.ts'
import type { Operation } from './kernel/operation.ts'
import { DONE } from './kernel/talk.ts'
import { serveHealth } from './status/server.ts'

const ref = { kind: 'L2VNI', name: 'web' } as const
const operations = Array.from({ length: 3000 }, (_, priority): Operation => {
  const object = { type: 'rule', namespace: 'router', for: ref, purpose: 'own', family: 4, priority } as const
  return { do: 'create', stage: 'create', for: ref, object, after: [], text: `add ${priority}` }
})

/** Half a millisecond of the processor's time an operation, as the kernel takes: more by the clock where it is shared. */
const performer = {
  together: () => true,
  asOne: () => false,
  perform: (run: readonly Operation[]) => {
    const start = process.threadCpuUsage()
    for (let used = 0; used < run.length * 500;) {
      const { user, system } = process.threadCpuUsage(start)
      used = user + system
    }
    return run.map(() => DONE)
  },
}

test('the agent says that it is alive while thousands of operations are done', async (t) => {
  const refuse = async (): Promise<never> => Promise.reject(new Error('not asked for'))
  const server = await serveHealth(
    { address: '127.0.0.1', port: 0 },
    {
      status: refuse,
      health: () => ({ ready: true, message: 'ready' }),
      metrics: refuse,
      reconcile: refuse,
      stop: () => undefined,
    },
  )
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  let done = 0
  const applied = apply(operations, performer, new Map(), {
    done: (count) => {
      done += count
    },
  })
  const seen: number[] = []
  const state = { ended: false }
  const over = applied.finally(() => {
    state.ended = true
  })
  while (!state.ended) {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`)
    t.is(response.status, 200)
    await response.text()
    seen.push(done)
  }
  t.deepEqual(await over, [])
  t.true(seen.filter((count) => count < operations.length).length >= 3, `answered after ${seen.join(', ')}`)
})
