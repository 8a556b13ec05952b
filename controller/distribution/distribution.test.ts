import test from 'ava'
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import { DetailSchema, ReportSchema } from '../../api/wire/generated/distribution_pb.ts'
import type { Violation } from '../../api/rules/violation.ts'
import { FakeVersion, piece, stage, until } from './stage.ts'

const router = piece('router', 'router of n1')
const red = piece('vrf/red', 'red')

test('an agent that comes with nothing gets the whole plan, and what it says is heard', async (t) => {
  const { dial, plans, events, metric } = await stage(t)
  plans.set('n1', new FakeVersion('n1', 'r1', [router, red]))
  const agent = dial('n1')
  await until(() => events.includes('acknowledged n1 r1'), 'acknowledged')
  t.deepEqual([...agent.pieces.keys()], ['router', 'vrf/red'])
  agent.send({ case: 'report', value: create(ReportSchema, { applied: 'r1' }) })
  await until(() => events.includes('reported n1 r1'), 'reported')
  t.is(await metric('nodeleaf_agents_connected'), 1)
  t.is(await metric('nodeleaf_plan_updates_sent_total', { kind: 'full' }), 1)
  t.is(await metric('nodeleaf_plan_pieces_sent_total'), 2)
  agent[Symbol.dispose]()
  await until(() => events.includes('disconnected n1'), 'disconnected')
  t.is(await metric('nodeleaf_agents_connected'), 0)
  t.deepEqual(events, ['connected n1', 'acknowledged n1 r1', 'reported n1 r1', 'disconnected n1'])
})

test('an agent that has the current plan is sent nothing, then what changes', async (t) => {
  const { dial, plans, events, publish, metric } = await stage(t)
  plans.set('n1', new FakeVersion('n1', 'r1', [router, red]))
  const agent = dial('n1', { revision: 'r1' })
  await until(async () => (await metric('nodeleaf_plan_unchanged_total')) === 1, 'counted')
  t.is(await metric('nodeleaf_plan_bytes_sent_total'), 0)
  publish(new FakeVersion('n1', 'r2', [router, piece('segment/1', 'one')]))
  await until(() => events.includes('acknowledged n1 r2'), 'acknowledged')
  t.deepEqual(agent.updates, [{ base: 'r1', revision: 'r2', pieces: 1, removed: 1, messages: 1 }])
})

test('only the node whose plan changes is told', async (t) => {
  const { dial, plans, events, publish } = await stage(t)
  for (const node of ['n1', 'n2', 'n3']) plans.set(node, new FakeVersion(node, 'r1', [router]))
  const agents = ['n1', 'n2', 'n3'].map((node) => dial(node, { revision: 'r1' }))
  await until(() => events.length === 3, 'connected')
  publish(new FakeVersion('n2', 'r2', [router, red]))
  await until(() => events.includes('acknowledged n2 r2'), 'acknowledged')
  t.deepEqual(
    agents.map((each) => each.updates.length),
    [0, 1, 0],
  )
})

test('a node of which nothing is known yet gets its plan when it is', async (t) => {
  const { dial, events, publish } = await stage(t)
  const agent = dial('n1')
  await until(() => events.includes('connected n1'), 'connected')
  t.is(agent.updates.length, 0)
  publish(new FakeVersion('n1', 'r1', [router]))
  await until(() => events.includes('acknowledged n1 r1'), 'acknowledged')
  t.is(agent.updates.length, 1)
})

test('a thousand changes while the agent is busy are one update', async (t) => {
  const busy = Promise.withResolvers<void>()
  const { dial, plans, events, publish, metric } = await stage(t)
  plans.set('n1', new FakeVersion('n1', 'r0', [router]))
  const agent = dial('n1', {
    answer: async ({ revision }) => {
      if (revision === 'r0') await busy.promise
      return { revision }
    },
  })
  await until(() => agent.updates.length === 1, 'the first update')
  for (let change = 1; change <= 1000; change++) {
    publish(new FakeVersion('n1', `r${change}`, [router, piece('vrf/red', `edit ${change}`)]))
    if (change % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  busy.resolve()
  await until(() => events.includes('acknowledged n1 r1000'), 'the last one')
  t.is(agent.updates.length, 2)
  t.is((await metric('nodeleaf_plan_acknowledgement_seconds', {})) > 0, true)
})

test('a burst of a thousand edits is a handful of updates even when the agent is quick', async (t) => {
  const { dial, plans, events, publish } = await stage(t)
  plans.set('n1', new FakeVersion('n1', 'r0', [router]))
  const agent = dial('n1', { revision: 'r0' })
  await until(() => events.includes('connected n1'), 'connected')
  const started = performance.now()
  // A process that is kept from the processor for a second makes two bursts of one.
  let [bursts, last] = [1, started]
  for (let change = 1; change <= 1000; change++) {
    const now = performance.now()
    if (now - last > 800) bursts++
    last = now
    publish(new FakeVersion('n1', `r${change}`, [router, piece('vrf/red', `edit ${change}`)]))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await until(() => events.includes('acknowledged n1 r1000'), 'the last one')
  const seconds = (performance.now() - started) / 1000
  t.true(agent.updates.length <= 7 * bursts + seconds / 10, `${agent.updates.length} updates in ${seconds} s`)
})

test('a plan of 5 MiB comes in messages of which each is well below the limit', async (t) => {
  const sizes: number[] = []
  const { dial, plans, events, metric } = await stage(t)
  const pieces = Array.from({ length: 2000 }, (_, at) => piece(`segment/${at}`, String(at % 10).repeat(2700)))
  plans.set('n1', new FakeVersion('n1', 'r1', pieces))
  const agent = dial('n1', {
    onMessage: ({ message }) => {
      if (message.case === 'plan') sizes.push(message.value.set.reduce((sum, { json }) => sum + json.length, 0))
    },
  })
  await until(() => events.includes('acknowledged n1 r1'), 'acknowledged')
  t.is(agent.pieces.size, 2000)
  t.true(Math.max(...sizes) <= 1024 * 1024, `${Math.max(...sizes)} bytes`)
  t.true(sizes.length > 5)
  t.true((await metric('nodeleaf_plan_bytes_sent_total')) > 5 * 1024 * 1024)
})

test('an agent that does not take an update gets the whole plan, and is not hurried when it does not take that', async (t) => {
  const { dial, plans, events, publish, metric } = await stage(t)
  plans.set('n1', new FakeVersion('n1', 'r1', [router]))
  const agent = dial('n1', {
    revision: 'r1',
    answer: ({ revision, base }) => (base === '' ? { revision } : { revision: 'r1', error: 'disk full' }),
  })
  await until(() => events.includes('connected n1'), 'connected')
  publish(new FakeVersion('n1', 'r2', [router, red]))
  await until(() => events.includes('acknowledged n1 r2'), 'acknowledged')
  t.deepEqual(
    agent.updates.map((each) => each.base),
    ['r1', ''],
  )
  t.true(events.includes('acknowledged n1 r1 (disk full)'))
  t.is(await metric('nodeleaf_plan_updates_rejected_total'), 1)

  const stubborn = dial('n2', { answer: () => ({ revision: '', error: 'disk full' }) })
  await until(() => events.includes('connected n2'), 'connected')
  publish(new FakeVersion('n2', 'r1', [router]))
  await until(() => stubborn.updates.length === 2, 'tried again')
  for (let change = 0; change < 20; change++) {
    publish(new FakeVersion('n2', 'r1', [router]))
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.true(stubborn.updates.length <= 5, `${stubborn.updates.length} tries`)
})

test('an agent that lost its plan says so and gets the whole one', async (t) => {
  const { dial, plans, events } = await stage(t)
  plans.set('n1', new FakeVersion('n1', 'r1', [router]))
  const agent = dial('n1', { revision: 'r1' })
  await until(() => events.includes('connected n1'), 'connected')
  agent.acknowledge({ revision: '' })
  await until(() => events.includes('acknowledged n1 r1'), 'acknowledged')
  t.deepEqual(
    agent.updates.map(({ base, pieces }) => [base, pieces]),
    [['', 1]],
  )
})

test('a list of refusals that changes alone is told, and not told again to an agent that has it', async (t) => {
  const violation: Violation = {
    object: { kind: 'L3VNI', name: 'red' },
    reason: 'NoUnderlay',
    field: 'spec.nodeSelector',
    message: 'no Underlay',
    remedy: 'add one',
  }
  const { dial, plans, events, publish, metric } = await stage(t)
  plans.set('n1', new FakeVersion('n1', 'r1', [router]))
  const agent = dial('n1', { revision: 'r1' })
  await until(() => events.includes('connected n1'), 'connected')
  publish(new FakeVersion('n1', 'r1', [router], [violation]))
  await until(() => events.includes('acknowledged n1 r1'), 'acknowledged')
  t.deepEqual(agent.updates, [{ base: 'r1', revision: 'r1', pieces: 0, removed: 0, messages: 1 }])
  agent[Symbol.dispose]()
  await until(() => events.includes('disconnected n1'), 'gone')
  const again = dial('n1', { revision: 'r1', refusedDigest: agent.refusedDigest })
  await until(async () => (await metric('nodeleaf_plan_unchanged_total')) === 2, 'counted')
  t.is(again.updates.length, 0)
})

test('details are asked for once until they come', async (t) => {
  const { dial, distribution, events } = await stage(t)
  let asked = 0
  const agent = dial('n1', { onMessage: ({ message }) => void (message.case === 'detailRequest' && asked++) })
  await until(() => events.includes('connected n1'), 'connected')
  for (let time = 0; time < 5; time++) distribution.requestDetail('n1')
  distribution.requestDetail('unknown')
  await until(() => asked === 1, 'asked')
  agent.send({ case: 'detail', value: create(DetailSchema, { version: 7n }) })
  // As agents do; it says nothing.
  agent.send({ case: undefined })
  await until(() => events.includes('detailed n1 7'), 'detailed')
  t.is(asked, 1)
  distribution.requestDetail('n1')
  await until(() => asked === 2, 'asked again')
  t.deepEqual([...distribution.connected], ['n1'])
})

test('an agent that says more than it may is read later, not ended', async (t) => {
  const { dial, events } = await stage(t, { bounds: { messagesPerSecond: 5 } })
  const agent = dial('n1')
  const started = performance.now()
  for (let report = 1; report <= 12; report++)
    agent.send({ case: 'report', value: create(ReportSchema, { applied: String(report) }) })
  await until(() => events.includes('reported n1 12'), 'the last report')
  t.true(performance.now() - started > 1500)
  t.deepEqual(
    events.slice(1),
    Array.from({ length: 12 }, (_, at) => `reported n1 ${at + 1}`),
  )
})

test('a book that fails for one node costs that node its stream, and no other', async (t) => {
  const plans = new Map([['n2', new FakeVersion('n2', 'r1', [router])]])
  const current = (node: string) => {
    if (node === 'n1') throw new Error('a bug')
    return plans.get(node)
  }
  const { dial, events, log } = await stage(t, { book: { current } })
  dial('n2')
  t.is((await dial('n1').ended).code, status.INTERNAL)
  await until(() => events.includes('acknowledged n2 r1'), 'acknowledged')
  t.true(log.some((line) => line.includes('level=error') && line.includes('a bug')))
})
