import test from 'ava'
import { acknowledged, adopted, greeted, nextStep, refusedDigest, sent, type Delivery } from './delivery.ts'
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

test('in a burst the gap between updates grows to a second, and is gone when it is quiet', (t) => {
  let delivery: Delivery = upToDate
  let now = 0
  const gaps: number[] = []
  for (let round = 0; round < 7; round++) {
    const version = round % 2 ? v1 : v2
    const step = nextStep(delivery, version, now)
    const until = step.type === 'wait' ? step.untilMs : now
    gaps.push(until - now)
    now = until
    delivery = acknowledged(sent(delivery, version, now), version.revision, '', now)
  }
  t.deepEqual(gaps, [0, 100, 200, 400, 800, 1000, 1000])
  t.is(nextStep(delivery, v3, now + 5000).type, 'send')
  t.is(sent(delivery, v3, now + 5000).gapMs, 100)
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
