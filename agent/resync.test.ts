import test from 'ava'
import { resyncMs } from './resync.ts'

test('a look at everything is due some time after the last, at once when that is over, later where it took long', (t) => {
  t.is(resyncMs(30, { endMs: 1000, tookMs: 10 }, 1000), 30_000)
  t.is(resyncMs(30, { endMs: 1000, tookMs: 10 }, 21_000), 10_000)
  t.is(resyncMs(30, { endMs: 1000, tookMs: 10 }, 99_000), 0)
  t.is(resyncMs(30, { endMs: 1000, tookMs: 200 }, 1000), 200_000)
})
