import test from 'ava'
import { Gate } from './gate.ts'
import { Rounds } from './rounds.ts'

const signal = new AbortController().signal

test('so many are in at a time, and the next one follows in the order of coming', async (t) => {
  const gate = new Gate(2)
  const entered: number[] = []
  const leave = [0, 1, 2, 3].map(() => Promise.withResolvers<void>())
  const all = leave.map(({ promise }, at) =>
    gate.pass(signal, async () => {
      entered.push(at)
      await promise
      return at
    }),
  )
  await Promise.resolve()
  t.deepEqual(entered, [0, 1])
  leave[1]?.resolve()
  t.is(await all[1], 1)
  t.deepEqual(entered, [0, 1, 2])
  for (const { resolve } of leave) resolve()
  t.deepEqual(await Promise.all(all), [0, 1, 2, 3])
})

test('who gives up waiting takes no place, and a failure gives its place back', async (t) => {
  const gate = new Gate(1)
  const first = Promise.withResolvers<void>()
  const failing = gate.pass(signal, () => first.promise)
  const gone = new AbortController()
  const waiting = gate.pass(gone.signal, async () => t.fail())
  gone.abort(new Error('gone'))
  await t.throwsAsync(waiting, { message: 'gone' })
  await t.throwsAsync(
    gate.pass(gone.signal, async () => t.fail()),
    { message: 'gone' },
  )
  first.reject(new Error('failed'))
  await t.throwsAsync(failing, { message: 'failed' })
  t.is(await gate.pass(signal, async () => 'in'), 'in')
})

test('rounds: what is asked for many times is done once, and a long round lets others in between', async (t) => {
  const done: number[] = []
  const rounds = new Rounds<number>((item) => {
    const end = performance.now() + 3
    while (performance.now() < end);
    done.push(item)
  })
  for (let time = 0; time < 3; time++) for (let item = 0; item < 20; item++) rounds.add(item)
  rounds.delete(7)
  let breaths = 0
  while (done.length < 19) {
    await new Promise((resolve) => setImmediate(resolve))
    breaths++
  }
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(
    done,
    Array.from({ length: 20 }, (_, at) => at).filter((at) => at !== 7),
  )
  t.true(breaths >= 4, `${breaths}`)
})
