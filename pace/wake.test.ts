import test from 'ava'
import { Wake } from './wake.ts'

const signal = new AbortController().signal

test('reasons that come together are handed over together, each once', async (t) => {
  const wake = new Wake({ quietMs: 20, latestMs: 1000 })
  for (const reason of ['netlink', 'source', 'netlink']) wake.request(reason)
  t.deepEqual(await wake.next(signal), ['netlink', 'source'])
})

test('a reason that came before anybody waited is not lost', async (t) => {
  const wake = new Wake({ quietMs: 1, latestMs: 10 })
  wake.request('early')
  t.deepEqual(await wake.next(signal), ['early'])
})

test('a storm is handed over at the latest after latestMs', async (t) => {
  const wake = new Wake({ quietMs: 60_000, latestMs: 30 })
  wake.request('storm')
  const storm = setInterval(() => wake.request('storm'), 1)
  t.deepEqual(await wake.next(signal), ['storm'])
  clearInterval(storm)
})

test('each reason is handed over once', async (t) => {
  const wake = new Wake({ quietMs: 1, latestMs: 10 })
  wake.request('one')
  await wake.next(signal)
  const second = wake.next(signal)
  wake.request('two')
  t.deepEqual(await second, ['two'])
})

test('an abort ends the wait with no reasons', async (t) => {
  const wake = new Wake({ quietMs: 1, latestMs: 10 })
  const controller = new AbortController()
  const waiting = wake.next(controller.signal)
  controller.abort()
  t.deepEqual(await waiting, [])
  t.deepEqual(await wake.next(controller.signal), [])
})

test('what is urgent is handed over at once, with what waited for quiet', async (t) => {
  const wake = new Wake({ quietMs: 60_000, latestMs: 60_000 })
  const waiting = wake.next(signal)
  wake.request('netlink')
  wake.requestNow('plan')
  t.deepEqual(await waiting, ['netlink', 'plan'])
  wake.requestNow('early')
  t.deepEqual(await wake.next(signal), ['early'], 'also when nobody waited yet')
})

test('urgent reasons of one moment are one, and those after are waited for as ever', async (t) => {
  const wake = new Wake({ quietMs: 60_000, latestMs: 60_000 })
  const waiting = wake.next(signal)
  for (const reason of ['a', 'b', 'a']) wake.requestNow(reason)
  t.deepEqual(await waiting, ['a', 'b'])
  const controller = new AbortController()
  const later = wake.next(controller.signal)
  wake.request('netlink')
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  controller.abort()
  t.deepEqual(await later, [], 'it was not handed over')
})
