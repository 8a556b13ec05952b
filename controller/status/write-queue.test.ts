import test from 'ava'
import { WriteQueue, type Priority } from './write-queue.ts'

const NEVER = (): void => {}

/** Notes what is written, in order; runs until it is stopped. */
function queue(options: Partial<ConstructorParameters<typeof WriteQueue>[0]> = {}) {
  const made = new WriteQueue({ perSecond: 1000, burst: 1000, atOnce: 1, failed: NEVER, ...options })
  const written: string[] = []
  const stop = new AbortController()
  const add = (key: string, priority: Priority, text = key): void =>
    made.add(key, priority, async () => written.push(text) > 0)
  return { made, written, stop, add }
}

async function until(condition: () => boolean): Promise<void> {
  for (let at = 0; !condition(); at++) {
    if (at > 12_000) throw new Error('it did not come true')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('urgent writes come first, and the newest of a key is the one', async (t) => {
  const { made, written, stop, add } = queue()
  add('c', 2)
  add('b', 1, 'old')
  add('b', 1, 'new')
  add('a', 0)
  const running = made.run(stop.signal)
  await until(() => written.length === 3)
  t.deepEqual(written, ['a', 'new', 'c'])
  stop.abort()
  await running
})

test('a key that has become urgent moves up, and never back', async (t) => {
  const { made, written, stop, add } = queue()
  add('a', 1)
  add('b', 2)
  add('b', 0)
  add('b', 2, 'b again')
  const running = made.run(stop.signal)
  await until(() => written.length === 2)
  t.deepEqual(written, ['b again', 'a'])
  stop.abort()
  await running
})

test('what comes while the key is written is written afterwards, once', async (t) => {
  const { made, written, stop, add } = queue()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  made.add('a', 0, () => promise)
  const running = made.run(stop.signal)
  await until(() => made.length === 0)
  add('a', 0, 'second')
  add('a', 0, 'third')
  t.deepEqual(written, [])
  resolve(true)
  await until(() => written.length > 0)
  t.deepEqual(written, ['third'])
  stop.abort()
  await running
})

test('a write that fails comes again', async (t) => {
  const failures: string[] = []
  const { made, stop } = queue({ failed: (key) => void failures.push(key) })
  let attempts = 0
  made.add('a', 0, async () => {
    attempts++
    if (attempts === 1) throw new Error('no')
    return true
  })
  const running = made.run(stop.signal)
  await until(() => attempts === 2)
  t.deepEqual(failures, ['a'])
  stop.abort()
  await running
})

test('what failed is not written over what came after it', async (t) => {
  const { made, written, stop, add } = queue()
  let attempts = 0
  made.add('a', 0, async () => {
    attempts++
    if (attempts === 1) throw new Error('no')
    return written.push('old') > 0
  })
  const running = made.run(stop.signal)
  await until(() => attempts === 1 && made.has('a'))
  add('a', 0, 'new')
  await until(() => written.length === 1)
  // Later than the first one would have come again.
  await new Promise((resolve) => setTimeout(resolve, 700))
  t.deepEqual(written, ['new'])
  t.false(made.has('a'))
  stop.abort()
  await running
})

test('writes are as many a second as there may be, and those with nothing to say cost nothing', async (t) => {
  const { made, written, stop, add } = queue({ perSecond: 20, burst: 2 })
  for (let at = 0; at < 50; at++) made.add(`nothing ${at}`, 0, async () => false)
  for (let at = 0; at < 6; at++) add(`k${at}`, 1)
  const start = performance.now()
  const running = made.run(stop.signal)
  await until(() => written.length === 6)
  // Two at once, four at 20 a second.
  t.true(performance.now() - start >= 190)
  stop.abort()
  await running
})

test('after the end nothing is written', async (t) => {
  const { made, written, stop, add } = queue()
  stop.abort()
  add('a', 0)
  await made.run(stop.signal)
  t.deepEqual(written, [])
})
