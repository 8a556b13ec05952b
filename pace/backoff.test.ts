import test from 'ava'
import { backoffMs } from './backoff.ts'

const options = { firstMs: 100, longestMs: 1000 }

test('each failure doubles the wait, up to the longest', (t) => {
  t.deepEqual(
    [1, 2, 3, 4, 5, 6, 5000].map((failures) => backoffMs(failures, options, 1)),
    [100, 200, 400, 800, 1000, 1000, 1000],
  )
})

test('chance spreads the wait over its upper half', (t) => {
  t.is(backoffMs(2, options, 0), 100)
  t.is(backoffMs(2, options, 0.5), 150)
})
