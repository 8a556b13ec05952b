import test from 'ava'
import { inSlices } from './slices.ts'

/** Each look at the clock takes a millisecond. */
function ticking(): () => number {
  let now = 0
  return () => now++
}

test('between two slices others have their turn, and no slice is longer than told', async (t) => {
  const slices: number[] = []
  let inThis = 0
  const others = setImmediate(function again() {
    slices.push(inThis)
    inThis = 0
    if (slices.length < 200) setImmediate(again)
  })
  function* work() {
    for (let at = 0; at < 1000; at++) {
      inThis++
      yield
    }
    return 'done'
  }
  t.is(await inSlices(work(), { now: ticking(), sliceMs: 20 }), 'done')
  clearImmediate(others)
  t.true(slices.length >= 40, `${slices.length} turns`)
  t.true(Math.max(...slices) <= 20, `${Math.max(...slices)} steps in a row`)
})

test('time is counted while there is work, not while others have their turn', async (t) => {
  let [now, total] = [0, 0]
  function* work() {
    for (let at = 0; at < 100; at++) {
      now++
      yield
    }
  }
  const others = setImmediate(function again() {
    now += 1000
    if (now < 100_000) setImmediate(again)
  })
  await inSlices(work(), { now: () => now, sliceMs: 10, spent: (ms) => (total += ms) })
  clearImmediate(others)
  t.is(total, 100)
  t.true(now > 5000)
})

test('work that fits into a slice is done at once', async (t) => {
  let steps = 0
  function* work() {
    for (; steps < 5; steps++) yield
  }
  const done = inSlices(work(), { now: ticking(), sliceMs: 20 })
  t.is(steps, 5)
  await done
})

test('the signal ends the work between two steps, with its reason', async (t) => {
  const stop = new AbortController()
  let steps = 0
  function* work() {
    for (;;) {
      if (++steps === 30) stop.abort(new Error('enough'))
      yield
    }
  }
  await t.throwsAsync(inSlices(work(), { signal: stop.signal, now: ticking(), sliceMs: 20 }), { message: 'enough' })
  t.is(steps, 30)
})
