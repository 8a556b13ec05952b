import test from 'ava'
import { ManualClock } from '../../pace/manual-clock.ts'
import { ApiError } from './api-error.ts'
import { EventRecorder, type EventRecorderOptions, type Occurrence } from './events.ts'
import { memoryLog } from './loopback-server.ts'

const NEVER = new AbortController().signal
const occurrence: Occurrence = {
  regarding: { apiVersion: 'test.example/v1', kind: 'Leaf', name: 'a', uid: 'u1' },
  type: 'Warning',
  reason: 'Broken',
  action: 'Plan',
  note: 'a is broken',
}

const nameOf = (one: Written | undefined): string =>
  (one?.body['metadata'] as { name?: string } | undefined)?.name ?? ''

interface Written {
  readonly verb: 'create' | 'patch'
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly body: Record<string, unknown>
}

function recording(more: Partial<EventRecorderOptions> = {}, failing: () => ApiError | undefined = () => undefined) {
  const clock = new ManualClock()
  const written: Written[] = []
  const log = memoryLog()
  const take = async <T>(one: Written): Promise<T> => {
    written.push(one)
    const error = failing()
    if (error !== undefined) throw error
    return {} as T
  }
  const api: EventRecorderOptions['api'] = {
    create: ({ namespace }, body) =>
      take({ verb: 'create', namespace, name: undefined, body: body as Record<string, unknown> }),
    mergePatch: ({ namespace, name }, body) =>
      take({ verb: 'patch', namespace, name, body: body as Record<string, unknown> }),
  }
  const recorder = new EventRecorder({
    api,
    reportingController: 'test.example/controller',
    reportingInstance: 'pod-1',
    log,
    clock,
    now: () => new Date(1_700_000_000_000 + clock.now()),
    ...more,
  })
  return { clock, written, recorder, log }
}

test('an Event says what, about whom, and who says so', async (t) => {
  const { written, recorder } = recording()
  recorder.record(occurrence)
  await recorder.close(NEVER)
  const { metadata: _, ...rest } = written[0]?.body ?? {}
  t.deepEqual(rest, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    eventTime: '2023-11-14T22:13:20.000000Z',
    reportingController: 'test.example/controller',
    reportingInstance: 'pod-1',
    type: 'Warning',
    reason: 'Broken',
    action: 'Plan',
    note: 'a is broken',
    regarding: occurrence.regarding,
  })
  t.regex(nameOf(written[0]), /^a\.[0-9a-f]{16}$/)
  t.is(written[0]?.namespace, 'default')
})

test('the same again is counted, and the count is written when the window is over', async (t) => {
  const { clock, written, recorder } = recording({ windowMs: 60_000 })
  for (let i = 0; i < 10; i += 1) {
    recorder.record(occurrence)
    await clock.advance(1000)
  }
  t.is(written.length, 1)
  await clock.advance(60_000)
  recorder.record(occurrence)
  await recorder.close(NEVER)
  t.is(written.length, 2)
  t.is(written[1]?.verb, 'patch')
  t.is(written[1]?.name, nameOf(written[0]))
  t.deepEqual(written[1]?.body, { series: { count: 11, lastObservedTime: '2023-11-14T22:14:30.000000Z' } })
})

test('other words, another object or another reason are another Event', async (t) => {
  const { written, recorder } = recording()
  recorder.record(occurrence)
  recorder.record({ ...occurrence, note: 'otherwise' })
  recorder.record({ ...occurrence, reason: 'Other' })
  recorder.record({ ...occurrence, regarding: { ...occurrence.regarding, name: 'b', namespace: 'ns' } })
  await recorder.close(NEVER)
  t.deepEqual(
    written.map(({ verb, namespace }) => [verb, namespace]),
    [
      ['create', 'default'],
      ['create', 'default'],
      ['create', 'default'],
      ['create', 'ns'],
    ],
  )
})

test('an Event that the server has forgotten is made anew', async (t) => {
  let error: ApiError | undefined
  const { clock, written, recorder } = recording({ windowMs: 1000 }, () => {
    const now = error
    error = undefined
    return now
  })
  recorder.record(occurrence)
  await clock.advance(2000)
  error = new ApiError('gone', { status: 404, reason: 'NotFound' })
  recorder.record(occurrence)
  await recorder.close(NEVER)
  t.deepEqual(
    written.map(({ verb }) => verb),
    ['create', 'patch', 'create'],
  )
  t.not(nameOf(written[2]), nameOf(written[0]))
  t.is(written[2]?.body['series'], undefined)
})

test('not more than so many a second; too many are left out, told once', async (t) => {
  const { clock, written, recorder, log } = recording({ rate: { perSecond: 10, burst: 2 } })
  for (let i = 0; i < 1500; i += 1) recorder.record({ ...occurrence, note: `note ${i}` })
  await clock.advance(1000)
  t.true(written.length >= 11 && written.length <= 13, String(written.length))
  t.is(log.lines.length, 1)
})

test('a server that takes none is told of once and does not hurt the caller', async (t) => {
  const { clock, written, recorder, log } = recording(
    {},
    () => new ApiError('no', { status: 403, reason: 'Forbidden' }),
  )
  for (let i = 0; i < 5; i += 1) recorder.record({ ...occurrence, note: `note ${i}` })
  await clock.advance(1000)
  t.is(written.length, 5)
  t.is(log.lines.length, 1)
})

test('a long note is cut at 1024 bytes, between characters', async (t) => {
  const { written, recorder } = recording()
  recorder.record({ ...occurrence, note: `x${'ä'.repeat(2000)}` })
  await recorder.close(NEVER)
  const note = String(written[0]?.body['note'])
  t.true(Buffer.byteLength(note) <= 1024 && Buffer.byteLength(note) > 1000)
  t.regex(note, /^xä+\.\.\.$/)
})

test('close with a bound leaves what is still waiting', async (t) => {
  const { written, recorder } = recording({ rate: { perSecond: 0.001, burst: 1 } })
  recorder.record(occurrence)
  recorder.record({ ...occurrence, note: 'second' })
  const bound = new AbortController()
  const closing = recorder.close(bound.signal)
  bound.abort()
  await closing
  t.true(written.length <= 1)
})
