import test from 'ava'
import { apply, type Performer } from './apply.ts'
import { KernelError } from './kernel-error.ts'
import { keyOf, type LinkObject } from './objects.ts'
import type { KernelFailure, Operation } from './operation.ts'
import { DONE } from './talk.ts'

function link(name: string): LinkObject {
  return { type: 'link', kind: 'dummy', namespace: 'router', name, up: true, for: { kind: 'L2VNI', name } }
}

function create(name: string, after: readonly string[] = []): Operation {
  const object = link(name)
  const needs = after.map((other) => keyOf(link(other)))
  return { do: 'create', stage: 'create', object, for: object.for, text: `create ${name}`, after: needs }
}

/** Does everything but what has a name in `refused`; keeps what was done at once. */
class Fake implements Performer {
  readonly runs: string[][] = []
  readonly #refused: ReadonlyMap<string, Error>

  constructor(refused: Readonly<Record<string, Error>> = {}) {
    this.#refused = new Map(Object.entries(refused))
  }

  together(first: Operation, second: Operation): boolean {
    return first.do === second.do
  }

  asOne(): boolean {
    return false
  }

  perform(operations: readonly Operation[]) {
    this.runs.push(operations.map(({ for: { name } }) => name))
    return operations.map(({ for: { name } }) => {
      const error = this.#refused.get(name)
      return error === undefined ? DONE : ({ done: false, error } as const)
    })
  }
}

test('what may be done at once is done at once, in order', async (t) => {
  const fake = new Fake()
  const counts: number[] = []
  const failures = await apply([create('a'), create('b'), create('c')], fake, new Map(), {
    done: (n) => counts.push(n),
  })
  t.deepEqual(failures, [])
  t.deepEqual(fake.runs, [['a', 'b', 'c']])
  t.deepEqual(counts, [3])
})

test('what needs another, or is about the same object, comes after it', async (t) => {
  const fake = new Fake()
  await apply([create('a'), create('b', ['a']), create('c'), create('c')], fake, new Map())
  t.deepEqual(fake.runs, [['a'], ['b', 'c'], ['c']])
})

test('who is told may hold up what comes next', async (t) => {
  const fake = new Fake()
  const held = Promise.withResolvers<void>()
  const applying = apply([create('a'), create('b', ['a'])], fake, new Map(), { done: () => held.promise })
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(fake.runs, [['a']])
  held.resolve()
  await applying
  t.deepEqual(fake.runs, [['a'], ['b']])
})

test('what may not be done at once is parted', async (t) => {
  const fake = new Fake()
  const raise: Operation = { ...create('a'), do: 'raise' }
  await apply([create('a'), create('b'), raise], fake, new Map())
  t.deepEqual(fake.runs, [['a', 'b'], ['a']])
})

test('of many the one that is refused fails, and what needs it waits', async (t) => {
  const error = new KernelError('NameTaken', 'b is taken', { permanent: true })
  const fake = new Fake({ b: error, c: new Error('no memory') })
  const failed = new Map<string, KernelFailure>()
  const failures = await apply([create('a'), create('b'), create('c'), create('d', ['b']), create('e')], fake, failed)
  t.deepEqual(fake.runs, [['a', 'b', 'c'], ['e']])
  t.deepEqual(
    failures.map(({ for: ref, reason, message, permanent }) => [ref.name, reason, message, permanent]),
    [
      ['b', 'NameTaken', 'b is taken', true],
      ['c', 'KernelRefused', 'create c: no memory', false],
      ['d', 'Waiting', 'create d waits for what failed before it of L2VNI/b: b is taken', false],
    ],
  )
  t.deepEqual([...failed.keys()], [keyOf(link('b')), keyOf(link('c')), keyOf(link('d'))])
  const raise: Operation = { ...create('b'), do: 'raise' }
  t.is((await apply([raise], fake, failed))[0]?.reason, 'Waiting')
})

test('what is refused beforehand is not tried', async (t) => {
  const fake = new Fake()
  const refused = { reason: 'NicMissing', message: 'no such NIC', permanent: false } as const
  const failures = await apply([{ ...create('a'), refused }, create('b', ['a'])], fake, new Map())
  t.deepEqual(
    failures.map(({ reason }) => reason),
    ['NicMissing', 'Waiting'],
  )
  t.deepEqual(fake.runs, [])
})

test('the event loop turns between, and a stop is heeded there', async (t) => {
  const fake = new Fake()
  const controller = new AbortController()
  const many = Array.from({ length: 5000 }, (_, at) => create(`l${at}`))
  let finished = 0
  setImmediate(() => controller.abort())
  await apply(many, fake, new Map(), { signal: controller.signal, done: (count) => void (finished += count) })
  t.true(finished > 0 && finished < many.length, `${finished} of ${many.length}`)
  t.is(fake.runs.flat().length, finished)
})
