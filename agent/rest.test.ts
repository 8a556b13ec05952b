import test from 'ava'
import { ManualClock } from '../pace/manual-clock.ts'
import { Rest } from './rest.ts'

function setup() {
  const clock = new ManualClock()
  const given: number[] = []
  return { clock, given, rest: new Rest(clock, () => given.push(clock.now())) }
}

test('memory is given back soon after much work', async (t) => {
  const { clock, given, rest } = setup()
  rest.resume(true)
  await clock.advance(1000)
  t.deepEqual(given, [])
  await clock.advance(2000)
  t.is(given.length, 1)
  await clock.advance(100_000)
  t.is(given.length, 1)
})

test('work that begins puts it off until it has ended', async (t) => {
  const { clock, given, rest } = setup()
  rest.resume(true)
  await clock.advance(1900)
  rest.interrupt()
  await clock.advance(10_000)
  t.deepEqual(given, [])
  rest.resume(false)
  await clock.advance(1)
  t.is(given.length, 1, 'what was much before is not forgotten')
})

test('looks that find nothing to do put nothing off', async (t) => {
  const { clock, given, rest } = setup()
  rest.resume(true)
  for (let looks = 0; looks < 10; looks++) {
    await clock.advance(500)
    rest.interrupt()
    rest.resume(false)
  }
  await clock.advance(1)
  t.is(given.length, 1)
})

test('nothing is given back after a little work', async (t) => {
  const { clock, given, rest } = setup()
  rest.interrupt()
  rest.resume(false)
  await clock.advance(100_000)
  t.deepEqual(given, [])
})
