import test from 'ava'
import { nextState, resourcesOf, retryDelay, type ResourceState } from './resource-state.ts'

const failed = { type: 'failed', reason: 'KernelRefused', message: 'no', permanent: false } as const

test('retries wait longer each time, up to five minutes', (t) => {
  const waits = [1, 2, 3, 4, 9, 30].map((attempts) => retryDelay(attempts, false, 0))
  t.deepEqual(waits, [1000, 2000, 4000, 8000, 256_000, 300_000])
})

test('hopeless things wait five minutes at once, and randomness only shortens', (t) => {
  t.is(retryDelay(1, true, 0), 300_000)
  t.is(retryDelay(1, true, 1), 225_000)
})

test('since stays while the state does', (t) => {
  const first = nextState(undefined, { type: 'ready' }, 1, 0)
  t.deepEqual(nextState(first, { type: 'ready' }, 2, 0), { state: 'Ready', since: 1 })
  t.deepEqual(nextState(first, { type: 'waiting', message: 'm' }, 2, 0), { state: 'Applying', since: 2, message: 'm' })
})

test('a failure counts its attempts and keeps its beginning', (t) => {
  let state: ResourceState | undefined
  for (const now of [0, 1000, 3000]) state = nextState(state, failed, now, 0)
  t.deepEqual(state, {
    state: 'Failed',
    since: 0,
    reason: 'KernelRefused',
    message: 'no',
    attempts: 3,
    nextTry: 7000,
  })
})

test('another reason is another beginning, success forgets the attempts', (t) => {
  const first = nextState(undefined, failed, 0, 0)
  t.is(nextState(first, { ...failed, reason: 'NameTaken' }, 5, 0).since, 5)
  const again = nextState(nextState(first, { type: 'ready' }, 5, 0), failed, 6, 0)
  t.is(again.state === 'Failed' ? again.attempts : 0, 1)
})

test('a plan without a router serves no resource', (t) => {
  t.is(resourcesOf({ node: 'n', vrfs: [], segments: [] }).size, 0)
})
