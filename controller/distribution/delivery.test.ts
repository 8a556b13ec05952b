import test from 'ava'
import * as fc from 'fast-check'
import {
  acknowledged,
  adopted,
  begun,
  changed,
  greeted,
  nextStep,
  refusedDigest,
  sent,
  type Delivery,
} from './delivery.ts'
import { FakeVersion, piece } from './stage.ts'

const [v1, v2, v3] = ['r1', 'r2', 'r3'].map((revision) => new FakeVersion('n1', revision, [piece('router', revision)]))
if (!v1 || !v2 || !v3) throw new Error('three versions')

const nothing = greeted('', '')
const upToDate = adopted(greeted('r1', ''), v1)

test('an agent that has nothing, or a revision of which nothing is known, gets the whole plan', (t) => {
  t.deepEqual(nextStep(nothing, v1, 0), { type: 'send', version: v1 })
  t.deepEqual(nextStep(greeted('r0', ''), v1, 0), { type: 'send', version: v1 })
})

test('an agent that has what is current gets nothing, and later what has changed since', (t) => {
  t.deepEqual(nextStep(greeted('r1', ''), v1, 0), { type: 'rest' })
  t.deepEqual(nextStep(upToDate, v2, 0), { type: 'send', version: v2, before: v1 })
})

test('while nothing is known of the node, nothing is sent', (t) =>
  t.deepEqual(nextStep(nothing, undefined, 0), { type: 'rest' }))

test('one update is in flight; the next one starts from what was acknowledged', (t) => {
  const flying = sent(upToDate, v2, 1000)
  t.deepEqual(nextStep(flying, v3, 5000), { type: 'rest' })
  t.deepEqual(nextStep(acknowledged(flying, 'r2', '', 5000), v3, 5000), { type: 'send', version: v3, before: v2 })
})

test('a plan that goes back to what the agent has needs no update', (t) => {
  const done = acknowledged(sent(upToDate, v2, 0), 'r2', '', 1)
  t.deepEqual(nextStep(done, v2, 2), { type: 'rest' })
})

/** When updates go out while the plan changes at these times, in milliseconds; each is taken at once. */
function updates(changes: readonly number[]): readonly number[] {
  const out: number[] = []
  let delivery: Delivery = upToDate
  let current: FakeVersion = v1 as FakeVersion
  const advance = (now: number, untilMs: number): void => {
    for (let at = now; ;) {
      const step = nextStep(delivery, current, at)
      if (step.type === 'rest' || (step.type === 'wait' && step.untilMs >= untilMs)) return
      if (step.type === 'wait') at = step.untilMs
      else {
        out.push(at)
        delivery = acknowledged(sent(begun(delivery), current, at), current.revision, '', at)
      }
    }
  }
  for (const [at, now] of changes.entries()) {
    current = new FakeVersion('n1', `edit ${at}`, [])
    delivery = changed(delivery, now)
    advance(now, changes[at + 1] ?? Infinity)
  }
  return out
}

const every = (ms: number, seconds: number): readonly number[] =>
  Array.from({ length: (seconds * 1000) / ms }, (_, at) => at * ms)

test('in a burst updates come ever more seldom, and the last one a second after the last change', (t) => {
  t.deepEqual(updates(every(50, 20)), [0, 100, 400, 1300, 4000, 12_100, 19_950 + 1000])
  t.deepEqual(updates(every(50, 60)).slice(5), [12_100, 22_100, 32_100, 42_100, 52_100, 59_950 + 1000])
})

test('a burst of half a minute is at most eight updates, however fast the edits come', (t) => {
  for (const ms of [1, 60, 100, 500, 900]) t.true(updates(every(ms, 30)).length <= 8, `every ${ms} ms`)
})

test('a change that comes alone goes out at once, and the first one of a burst too', (t) => {
  t.deepEqual(updates([0, 5000, 6100, 7300]), [0, 5000, 6100, 7300])
  t.deepEqual(updates([0, 90, 3000]), [0, 100, 3000])
  t.is(updates([...every(50, 30), 33_000]).at(-1), 33_000)
})

test('whatever has changed goes out at the latest 10 seconds after the last update, or a second after it changed', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1500 }), { maxLength: 200 }), (pauses) => {
      const changes = pauses.map((_, at) => pauses.slice(0, at + 1).reduce((sum, each) => sum + each, 0))
      const out = updates(changes)
      return changes.every((at, i) => {
        const next = out.find((each) => each >= at) ?? Infinity
        const before = out.findLast((each) => each < at) ?? -Infinity
        const quiet = (changes[i + 1] ?? Infinity) - at > 1000
        return next <= (quiet ? at + 1000 : Math.max(at, before + 10_000))
      })
    }),
  )
  t.pass()
})

test('an agent that says that it has lost its plan is not kept waiting for the end of a burst', (t) => {
  const flying = sent({ ...upToDate, gapMs: 10_000 }, v2, 1000)
  const lost = acknowledged(acknowledged(flying, 'r2', '', 1000), '', '', 1001)
  t.deepEqual(nextStep(lost, v2, 1001), { type: 'wait', untilMs: 2000 })
})

test('an answer that is not what was sent leads to the whole plan at once, then ever more slowly', (t) => {
  let delivery: Delivery = upToDate
  let now = 0
  const waits: number[] = []
  for (let round = 0; round < 8; round++) {
    const step = nextStep(delivery, v2, now)
    if (step.type === 'wait') {
      waits.push(step.untilMs - now)
      now = step.untilMs
    } else waits.push(0)
    t.deepEqual(nextStep(delivery, v2, now), { type: 'send', version: v2, ...(round === 0 ? { before: v1 } : {}) })
    delivery = acknowledged({ ...sent(delivery, v2, now), gapMs: 0 }, 'r1', 'disk full', now)
  }
  t.deepEqual(waits, [0, 0, 1000, 2000, 4000, 8000, 16_000, 30_000])
  const another = nextStep(delivery, v3, now)
  t.deepEqual(another, { type: 'wait', untilMs: now + 5000 })
  const taken = acknowledged(sent(delivery, v2, now), 'r2', '', now)
  t.deepEqual([taken.failures, taken.version], [0, v2])
})

test('another revision than the one that was sent counts as not taken', (t) => {
  const lost = acknowledged(sent(upToDate, v2, 0), 'r7', '', 0)
  t.deepEqual([lost.revision, lost.version, lost.inFlight, lost.failures], ['r7', undefined, undefined, 1])
})

test('an answer that nobody asked for and that says nothing new changes nothing', (t) =>
  t.is(acknowledged(upToDate, 'r1', '', 0), upToDate))

test('an agent that says unasked that it has lost its plan gets it again', (t) =>
  t.deepEqual(nextStep(acknowledged(upToDate, '', '', 0), v1, 0), { type: 'send', version: v1 }))

test('a list of refusals has a digest; the empty one has none', (t) => {
  const refused = (message: string) =>
    new FakeVersion(
      'n1',
      'r1',
      [],
      [{ object: { kind: 'L3VNI', name: 'red' }, reason: 'NoVTEP', field: 'spec.vni', message, remedy: '' }],
    )
  t.is(refusedDigest(v1), '')
  t.is(refusedDigest(refused('one')), refusedDigest(refused('one')))
  t.not(refusedDigest(refused('one')), refusedDigest(refused('two')))
  const version = refused('one')
  t.deepEqual(nextStep(upToDate, version, 0), { type: 'send', version, before: v1 })
  t.deepEqual(nextStep(greeted('r1', ''), version, 0), { type: 'send', version, before: version })
  t.deepEqual(nextStep(greeted('r1', refusedDigest(version)), version, 0), { type: 'rest' })
})
