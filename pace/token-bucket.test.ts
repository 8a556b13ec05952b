import test from 'ava'
import * as fc from 'fast-check'
import { TokenBucket } from './token-bucket.ts'

test('a burst goes at once, the rest at the rate', (t) => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0)
  t.deepEqual([bucket.take(0), bucket.take(0), bucket.take(0), bucket.take(0)], [0, 0, 0, 100])
  t.is(bucket.take(60), 40)
  t.is(bucket.take(100), 0)
})

test('a long rest saves no more than a burst', (t) => {
  const bucket = new TokenBucket({ perSecond: 1000, burst: 2 }, 0)
  t.deepEqual([bucket.take(1e6), bucket.take(1e6), bucket.take(1e6)], [0, 0, 1])
})

test('who waits as long as told gets a token, and never more than burst + rate * time are given', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 }),
      (perSecond, burst, pauses) => {
        const bucket = new TokenBucket({ perSecond, burst }, 0)
        let now = 0
        let given = 0
        for (const pause of pauses) {
          now += pause
          const wait = bucket.take(now)
          if (wait > 0 && bucket.take((now += wait)) > 0) return false
          given += 1
        }
        return given <= burst + (perSecond * now) / 1000 + 1e-6
      },
    ),
  )
  t.pass()
})
