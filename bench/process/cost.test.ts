import test from 'ava'
import { cpuSeconds, cpuSecondsIn, memoryIn, memoryOf } from './cost.ts'

test('CPU time is that of user and system, whatever the name looks like', (t) => {
  const rest = 'S 1 42 42 0 -1 4194304 90 0 0 0 250 75 9 9 20 0 1 0 1234 1000 200'
  t.is(cpuSecondsIn(`42 (zebra) ${rest}`), 3.25)
  t.is(cpuSecondsIn(`42 (a) S 9 (b) ${rest}`), 3.25)
})

test('memory is MiB, and the peak is told apart', (t) => {
  const status = 'Name:\tnode\nVmPeak:\t  900000 kB\nVmHWM:\t    3072 kB\nVmRSS:\t    2048 kB\nRssAnon:\t 1 kB\n'
  t.deepEqual(memoryIn(status), { rss: 2, peak: 3 })
})

test('this process is found, one that is gone is not', (t) => {
  const { rss, peak } = memoryOf(process.pid)
  t.true(rss > 1 && rss <= peak)
  t.is(typeof cpuSeconds(process.pid), 'number')
  t.is(cpuSeconds(2 ** 30), undefined)
  t.throws(() => memoryOf(2 ** 30))
})
