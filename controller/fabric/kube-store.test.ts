import test from 'ava'
import { createLog } from '../../log/log.ts'
import type { Api } from '../kube/api.ts'
import { KubeStore } from './kube-store.ts'

test('what leads no more by the clock writes nothing, though nobody has told it yet', async (t) => {
  const calls: string[] = []
  const api = new Proxy({}, { get: (_, verb) => async () => void calls.push(String(verb)) }) as Api
  const term = new AbortController()
  const over = new Error('the lease could not be renewed in time')
  let frozenFor = 0
  const store = new KubeStore({
    api,
    events: { record: () => void calls.push('event') },
    namespace: 'nodeleaf-system',
    log: createLog({ level: 'error', format: 'kv', write: () => {}, now: () => new Date() }),
    leads: () => {
      // As the Election does: whoever asks ends a term that is over.
      if (frozenFor > 0) term.abort(over)
      return frozenFor === 0
    },
  })
  const { signal } = term
  const state = { conditions: [], revision: {}, failures: [], versions: {} }
  const happening = {
    regarding: { type: 'node', name: 'n1', uid: 'u1' },
    type: 'Normal',
    reason: 'Ready',
    action: 'Reporting',
    note: 'it works',
  } as const
  await store.applyRouterNodeState('n1', state, signal)
  store.record(happening)
  t.deepEqual(calls.splice(0), ['apply', 'event'])
  frozenFor = 20_000
  const writes = [
    () => store.applyRouterNodeState('n1', state, signal),
    () => store.applyRouterNodeDetail('n1', { sessions: [], vnis: [] }, signal),
    () => store.deleteRouterNode('n1', signal),
    () => store.saveLedger('{}', signal),
  ]
  for (const write of writes) t.is(await t.throwsAsync(write), over)
  store.record(happening)
  t.deepEqual(calls, [])
})
