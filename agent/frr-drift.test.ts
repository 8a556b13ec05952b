import test from 'ava'
import { watchDrift } from './frr-drift.ts'

/** Looks at these configurations one after the other, then ends; undefined: FRR does not answer. */
async function changesSeen(...configurations: readonly (string | undefined)[]): Promise<number> {
  const stop = new AbortController()
  const left = [...configurations]
  let changes = 0
  const frr = {
    connected: true,
    async fingerprint(): Promise<string> {
      const next = left.shift()
      if (left.length === 0) stop.abort()
      if (next === undefined) throw new Error('away')
      return next
    },
  }
  await watchDrift(frr, () => changes++, stop.signal, { everyMs: 0 })
  return changes
}

test('the first look is no change, the same again is none', async (t) => {
  t.is(await changesSeen('a', 'a', 'a'), 0)
})

test('each other configuration is a change, also the one before', async (t) => {
  t.is(await changesSeen('a', 'b', 'b', 'a'), 2)
})

test('an FRR that does not answer is no change, what it comes back with may be one', async (t) => {
  t.is(await changesSeen('a', undefined, 'a'), 0)
  t.is(await changesSeen('a', undefined, 'b'), 1)
  t.is(await changesSeen(undefined, 'a', 'a'), 0)
})
