import test from 'ava'
import { ManualClock } from '../pace/manual-clock.ts'
import { restMs, watchDrift } from './frr-drift.ts'

/** Looks as often as there are answers, then ends; undefined: FRR does not answer. */
async function changesSeen(...answers: readonly (boolean | undefined)[]): Promise<number> {
  const stop = new AbortController()
  const left = [...answers]
  let changes = 0
  const frr = {
    connected: true,
    async drifted(): Promise<boolean> {
      const next = left.shift()
      if (left.length === 0) stop.abort()
      if (next === undefined) throw new Error('away')
      return next
    },
  }
  const clock = new ManualClock()
  const watch = watchDrift(frr, () => changes++, stop.signal, { everyMs: 1000, clock })
  await clock.advance(1000 * answers.length)
  await watch
  return changes
}

test('each look that sees a change tells it', async (t) => {
  t.is(await changesSeen(false, false), 0)
  t.is(await changesSeen(false, true, false, true), 2)
})

test('an FRR that does not answer is no change, and is asked again', async (t) => {
  t.is(await changesSeen(undefined, undefined), 0)
  t.is(await changesSeen(undefined, true), 1)
})

test('an FRR that is away is not asked', async (t) => {
  const stop = new AbortController()
  const frr = {
    get connected(): boolean {
      stop.abort()
      return false
    },
    drifted: () => Promise.reject(t.fail()),
  }
  await watchDrift(frr, () => t.fail(), stop.signal, { clock: new ManualClock() })
  t.pass()
})

test('the longer a look takes the longer is the rest, a minute at most; one slow look changes nothing', (t) => {
  t.is(restMs(2, 2, 5000), 5000)
  t.is(restMs(50, 40, 5000), 24_000)
  t.is(restMs(5000, 30, 5000), 18_000)
  t.is(restMs(5000, 5000, 5000), 60_000)
  t.is(restMs(5000, Infinity, 5000), 60_000)
})
