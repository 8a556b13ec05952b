import test from 'ava'
import { Lead } from './lead.ts'

/** A clock, and an FRR that answers when the test says so. */
function behind(signal = new AbortController().signal) {
  let now = 0
  const owed: PromiseWithResolvers<void>[] = []
  const ask = () => {
    const question = Promise.withResolvers<void>()
    owed.push(question)
    return question.promise
  }
  const lead = new Lead(ask, signal, () => now)
  const at = (ms: number) => {
    now = ms
    return lead.keep()
  }
  return { at, owed }
}

test('short work asks nothing, long work one question at a time', async (t) => {
  const { at, owed } = behind()
  for (const ms of [0, 100, 400]) t.is(at(ms), undefined)
  t.is(owed.length, 0)
  for (const ms of [600, 700, 2000]) t.is(at(ms), undefined)
  t.is(owed.length, 1)
  owed[0]?.resolve()
  await owed[0]?.promise
  t.is(at(2010), undefined)
  t.is(owed.length, 1)
  t.is(at(2500), undefined)
  t.is(owed.length, 2)
})

test('work waits for an FRR that is too far behind, however its answer comes out', async (t) => {
  for (const end of ['resolve', 'reject'] as const) {
    const { at, owed } = behind()
    t.is(at(1000), undefined)
    const waiting = at(7000)
    t.true(waiting instanceof Promise)
    const first = await Promise.race([waiting, new Promise((resolve) => setImmediate(() => resolve('still')))])
    t.is(first, 'still')
    owed[0]?.[end]()
    await waiting
    t.is(at(7010), undefined)
    t.is(owed.length, 1)
  }
})

test('who stops does not wait for FRR', async (t) => {
  const stop = new AbortController()
  const { at } = behind(stop.signal)
  t.is(at(1000), undefined)
  const waiting = at(7000)
  stop.abort()
  await waiting
  await at(8000)
  t.pass()
})
