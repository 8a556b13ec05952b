import test from 'ava'
import { ManualClock } from '../../pace/manual-clock.ts'
import { ApiError } from './api-error.ts'
import { leaf, memoryLog, object, until } from './loopback-server.ts'
import type { Target } from './object.ts'
import { Writer, type WriterOptions } from './writer.ts'

const NEVER = new AbortController().signal
const at = (name: string): Target => ({ type: leaf, name, subresource: 'status' })
const status = (value: unknown): object => ({ status: { value } })

interface Sent {
  readonly name: string
  readonly fields: object
  readonly answer: PromiseWithResolvers<object>
}

/** A writer over an API whose answers the test gives by hand; `answer` gives them at once. */
function writing(more: Partial<WriterOptions> = {}, answer?: (sent: Sent) => void) {
  const clock = new ManualClock()
  const sent: Sent[] = []
  const log = memoryLog()
  const results: string[] = []
  let version = 100
  const api = {
    apply: async <T extends object>(target: Target, fields: object): Promise<T> => {
      const one = { name: target.name, fields, answer: Promise.withResolvers<object>() }
      sent.push(one)
      answer?.(one)
      return (await one.answer.promise) as T
    },
  }
  const writer = new Writer({
    api,
    fieldManager: 'test',
    rate: { perSecond: 1000, burst: 1000 },
    log,
    clock,
    random: () => 0.5,
    observe: (result) => results.push(result),
    ...more,
  })
  const ok = (one: Sent | undefined): void => one?.answer.resolve(object(one.name, (version += 1)))
  const fail = (one: Sent | undefined, code: number, reason: string, retryAfterSeconds?: number): void =>
    one?.answer.reject(new ApiError('on purpose', { status: code, reason, retryAfterSeconds }))
  return { clock, sent, writer, ok, fail, log, results }
}

test('of many wishes for an object while one is under way, the newest is written and no other', async (t) => {
  const { clock, sent, writer, ok } = writing()
  for (let i = 0; i < 1000; i += 1) writer.apply({ at: at('a'), fields: status(i) })
  t.deepEqual(
    sent.map(({ fields }) => fields),
    [status(0)],
  )
  ok(sent[0])
  await clock.advance(0)
  t.deepEqual(
    sent.map(({ fields }) => fields),
    [status(0), status(999)],
  )
  ok(sent[1])
  await writer.drained(NEVER)
  t.is(sent.length, 2)
  t.is(writer.backlog, 0)
})

test('what is there already is not written', async (t) => {
  const { clock, sent, writer, ok } = writing()
  writer.apply({
    at: at('a'),
    fields: { status: { x: 1, y: undefined, z: 2 } },
    seen: { fields: { status: { z: 2, x: 1 } }, resourceVersion: '5' },
  })
  t.is(sent.length, 0)
  writer.apply({ at: at('a'), fields: status(1) })
  ok(sent[0])
  await clock.advance(0)
  writer.apply({ at: at('a'), fields: status(1) })
  t.is(sent.length, 1, 'written by us just now')
  // The cache still shows what was before our write: version 101.
  writer.apply({ at: at('a'), fields: status(1), seen: { fields: status(0), resourceVersion: '100' } })
  t.is(sent.length, 1)
  // Now it shows what somebody else wrote after us.
  writer.apply({ at: at('a'), fields: status(1), seen: { fields: status(0), resourceVersion: '102' } })
  t.is(sent.length, 2)
  ok(sent[1])
  await writer.drained(NEVER)
})

test('a wish taken back before it was written is not written', async (t) => {
  const { sent, writer, clock, ok } = writing({ concurrency: 1 })
  writer.apply({ at: at('first'), fields: status(1) })
  writer.apply({ at: at('a'), fields: status(2) })
  writer.apply({ at: at('a'), fields: status(1), seen: { fields: status(1), resourceVersion: '5' } })
  ok(sent[0])
  await clock.advance(1000)
  t.deepEqual(
    sent.map(({ name }) => name),
    ['first'],
  )
})

test('not more than so many a second, nor at one time', async (t) => {
  const box = writing({ rate: { perSecond: 10, burst: 5 }, concurrency: 3 }, (one) => box.ok(one))
  for (let i = 0; i < 100; i += 1) box.writer.apply({ at: at(`o${i}`), fields: status(i) })
  t.is(box.sent.length, 3)
  await box.clock.advance(0)
  t.is(box.sent.length, 5)
  await box.clock.advance(1000)
  t.is(box.sent.length, 15)
  await box.clock.advance(8500)
  t.is(box.sent.length, 100)
  t.deepEqual(
    box.sent.slice(0, 3).map(({ name }) => name),
    ['o0', 'o1', 'o2'],
  )
})

test('an object that is gone is dropped', async (t) => {
  const { clock, sent, writer, fail, log } = writing()
  writer.apply({ at: at('a'), fields: status(1) })
  fail(sent[0], 404, 'NotFound')
  await writer.drained(NEVER)
  await clock.advance(100_000)
  t.is(sent.length, 1)
  t.deepEqual(log.lines, [])
  writer.apply({ at: at('a'), fields: status(1) })
  t.is(sent.length, 2)
})

test('a conflict is tried again, later and later, with what is wished for by then', async (t) => {
  const { clock, sent, writer, ok, fail } = writing()
  writer.apply({ at: at('a'), fields: status(1) })
  fail(sent[0], 409, 'Conflict')
  await clock.advance(374)
  t.is(sent.length, 1)
  await clock.advance(2)
  t.is(sent.length, 2)
  fail(sent[1], 409, 'Conflict')
  await clock.advance(100)
  writer.apply({ at: at('a'), fields: status(2) })
  await clock.advance(700)
  t.deepEqual(
    sent.map(({ fields }) => fields),
    [status(1), status(1), status(2)],
  )
  ok(sent[2])
  await writer.drained(NEVER)
})

test('a server that is away stops all writes; when it is back they all go soon', async (t) => {
  let away = true
  const box = writing({}, (one) => (away ? box.fail(one, 0, 'Unreachable') : box.ok(one)))
  for (let i = 0; i < 200; i += 1) box.writer.apply({ at: at(`o${i}`), fields: status(i) })
  await box.clock.advance(120_000)
  const tried = box.sent.length
  t.true(tried < 50, `${tried} requests to a server that is away`)
  t.is(box.log.lines.length, 1)
  away = false
  await box.clock.advance(15_000)
  t.is(box.writer.backlog, 0)
})

test('Retry-After is honoured', async (t) => {
  const { clock, sent, writer, fail } = writing()
  writer.apply({ at: at('a'), fields: status(1) })
  fail(sent[0], 429, 'TooManyRequests', 20)
  await clock.advance(19_000)
  t.is(sent.length, 1)
  await clock.advance(2000)
  t.is(sent.length, 2)
})

test('what the server will never take is told once, and does not hold up others', async (t) => {
  const refused: string[] = []
  const box = writing({ onRefused: ({ name }) => refused.push(name) }, (one) =>
    one.name === 'bad' ? box.fail(one, 422, 'Invalid') : box.ok(one),
  )
  box.writer.apply({ at: at('bad'), fields: status(1) })
  box.writer.apply({ at: at('good'), fields: status(1) })
  await box.clock.advance(200_000)
  t.deepEqual(refused, ['bad'])
  t.is(box.log.lines.length, 1)
  t.is(box.sent.filter(({ name }) => name === 'good').length, 1)
  t.true(box.sent.length < 7)
})

test('stop gives up what waits; drained returns when its bound comes', async (t) => {
  const { sent, writer } = writing({ concurrency: 1 })
  writer.apply({ at: at('a'), fields: status(1) })
  writer.apply({ at: at('b'), fields: status(1) })
  const bound = new AbortController()
  let returned = false
  void (async () => {
    await writer.drained(bound.signal)
    returned = true
  })()
  bound.abort()
  await until('drained', () => returned)
  writer.stop()
  writer.apply({ at: at('c'), fields: status(1) })
  t.is(sent.length, 1)
})
