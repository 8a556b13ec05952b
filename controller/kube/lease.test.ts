import test from 'ava'
import * as fc from 'fast-check'
import type { Clock } from '../../pace/clock.ts'
import { ManualClock } from '../../pace/manual-clock.ts'
import { Api, type CallOptions } from './api.ts'
import { ApiError } from './api-error.ts'
import { Election, type LeaseApi, type LeaseState } from './lease.ts'
import { json, loopbackServer, memoryLog, status, until } from './loopback-server.ts'
import type { Target } from './object.ts'

interface Stored {
  metadata: { resourceVersion: string; annotations?: Record<string, string> }
  spec: { holderIdentity: string; renewTime: string; acquireTime: string; leaseTransitions: number }
}

/** The API server's side of one Lease: refuses what does not have its version. */
class LeaseServer {
  lease: Stored | undefined
  version = 1
  get(): Stored {
    if (this.lease === undefined) throw new ApiError('gone', { status: 404, reason: 'NotFound' })
    return structuredClone(this.lease)
  }
  put(body: Stored, creates: boolean): Stored {
    if (creates && this.lease !== undefined) throw new ApiError('exists', { status: 409, reason: 'AlreadyExists' })
    if (!creates && this.lease === undefined) throw new ApiError('gone', { status: 404, reason: 'NotFound' })
    if (!creates && body.metadata.resourceVersion !== this.lease?.metadata.resourceVersion) {
      throw new ApiError('conflict', { status: 409, reason: 'Conflict' })
    }
    this.version += 1
    this.lease = structuredClone(body)
    this.lease.metadata.resourceVersion = String(this.version)
    return structuredClone(this.lease)
  }
}

/** The way to the server: requests may be late, answers too, both may hang whatever the signal says. */
interface Way {
  toMs: () => number
  backMs: () => number
  refuses: () => boolean
}
const straight: Way = { toMs: () => 0, backMs: () => 0, refuses: () => false }
const NEVER = new AbortController().signal

function apiOver(server: LeaseServer, clock: Clock, way: Way): LeaseApi {
  const over = async <T extends object>(work: () => object): Promise<T> => {
    if (way.refuses()) throw new ApiError('no connection', { reason: 'Unreachable' })
    await clock.wait(way.toMs(), NEVER)
    let answer: object | undefined
    let error: unknown
    try {
      answer = work()
    } catch (thrown) {
      error = thrown
    }
    await clock.wait(way.backMs(), NEVER)
    if (answer === undefined) throw error
    return answer as T
  }
  return {
    get: <T extends object>() => over<T>(() => server.get()),
    create: <T extends object>(_at: Omit<Target, 'name'>, body: object) =>
      over<T>(() => server.put(body as Stored, true)),
    replace: <T extends object>(_at: Target, body: object, _options?: CallOptions) =>
      over<T>(() => server.put(body as Stored, false)),
  }
}

function replica(
  server: LeaseServer,
  clock: Clock,
  name: string,
  way: Way = straight,
  random = (): number => 0.5,
  ready?: Promise<void>,
) {
  const changes: LeaseState[] = []
  const stop = new AbortController()
  const election = new Election({
    api: apiOver(server, clock, way),
    namespace: 'system',
    name: 'lease',
    identity: name,
    address: `${name}:7443`,
    leaseDurationMs: 10_000,
    renewDeadlineMs: 6000,
    retryPeriodMs: 2000,
    onChange: (state) => changes.push(state),
    log: memoryLog(),
    clock,
    random,
    now: () => new Date(1_700_000_000_000 + clock.now()),
    ...(ready === undefined ? {} : { ready }),
  })
  const running = election.run(stop.signal)
  return { election, changes, stop, running, leads: () => election.state.leads }
}

test('the first to come leads, the other one knows where', async (t) => {
  const server = new LeaseServer()
  const clock = new ManualClock()
  const a = replica(server, clock, 'a')
  await clock.advance(10)
  const b = replica(server, clock, 'b')
  await clock.advance(60_000)
  t.true(a.leads())
  t.deepEqual(b.election.state, { leads: false, leader: 'a:7443' })
  t.is(a.changes.length, 1)
  t.is(b.changes.length, 1)
  t.regex(server.lease?.spec.renewTime ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  t.regex(server.lease?.spec.holderIdentity ?? '', /^a_[0-9a-f]{8}$/)
  a.stop.abort()
  b.stop.abort()
  await clock.advance(1)
  await Promise.all([a.running, b.running])
})

test('a leader that has missed several renewals is no longer named, though its lease has not run out', async (t) => {
  const server = new LeaseServer()
  const clock = new ManualClock()
  let away = false
  const a = replica(server, clock, 'a', { ...straight, refuses: () => away })
  await clock.advance(10)
  const b = replica(server, clock, 'b')
  await clock.advance(20_000)
  t.deepEqual(b.election.state, { leads: false, leader: 'a:7443' })
  away = true
  await clock.advance(9000)
  t.deepEqual(b.election.state, { leads: false })
  for (const { stop } of [a, b]) stop.abort()
  await clock.advance(10_000)
  await Promise.all([a.running, b.running])
})

test('who has not read everything leads nobody, but the silence of the one before counts already', async (t) => {
  const server = new LeaseServer()
  const clock = new ManualClock()
  let dead = false
  const before = replica(server, clock, 'a', { ...straight, refuses: () => dead })
  await clock.advance(5000)
  dead = true
  const { promise, resolve } = Promise.withResolvers<void>()
  const next = replica(server, clock, 'b', straight, () => 0.5, promise)
  await clock.advance(60_000)
  t.false(next.leads())
  t.is(server.lease?.spec?.holderIdentity?.slice(0, 2), 'a_')
  resolve()
  await clock.advance(10)
  t.true(next.leads())
  for (const { stop } of [before, next]) stop.abort()
  await clock.advance(10_000)
  await Promise.all([before.running, next.running])
})

test('a replica that was started again does not name what it was before', async (t) => {
  const server = new LeaseServer()
  const clock = new ManualClock()
  let dead = false
  const before = replica(server, clock, 'a', { ...straight, refuses: () => dead })
  await clock.advance(5000)
  t.true(before.leads())
  dead = true
  const again = replica(server, clock, 'a')
  await clock.advance(1000)
  t.deepEqual(again.election.state, { leads: false })
  await clock.advance(12_000)
  t.true(again.leads())
  for (const { stop } of [before, again]) stop.abort()
  await clock.advance(10_000)
  await Promise.all([before.running, again.running])
})

test('a clean stop gives the lease away: the next one leads with its next look', async (t) => {
  const server = new LeaseServer()
  const clock = new ManualClock()
  const a = replica(server, clock, 'a')
  await clock.advance(10)
  const b = replica(server, clock, 'b')
  await clock.advance(20_000)
  const [first] = a.changes
  a.stop.abort()
  await clock.advance(1)
  await a.running
  t.true(first?.leads === true && first.lost.aborted)
  t.is(server.lease?.spec.holderIdentity, undefined)
  await clock.advance(2400)
  t.true(b.leads())
  t.is(server.lease?.spec.leaseTransitions, 1)
  b.stop.abort()
  await clock.advance(1)
  await b.running
})

test('a leader whose requests hang steps down before the lease runs out, and another takes over when it has', async (t) => {
  const server = new LeaseServer()
  const clock = new ManualClock()
  const way = { ...straight }
  const a = replica(server, clock, 'a', way)
  await clock.advance(10)
  const b = replica(server, clock, 'b')
  await clock.advance(5000)
  way.toMs = () => 1e9
  const [term] = a.changes
  await clock.advance(6000)
  t.false(a.leads())
  t.true(term?.leads === true && term.lost.aborted)
  t.false(b.leads())
  await clock.advance(6500)
  t.true(b.leads())
  b.stop.abort()
  await clock.advance(1)
  await b.running
})

test('a leader that dies is followed within the lease and a little', async (t) => {
  const server = new LeaseServer()
  const clock = new ManualClock()
  const way = { ...straight }
  replica(server, clock, 'a', way)
  await clock.advance(10)
  const b = replica(server, clock, 'b')
  await clock.advance(4000)
  way.refuses = () => true
  let took = 0
  for (; !b.leads(); took += 100) await clock.advance(100)
  t.true(took <= 12_500, `${took} ms`)
  t.pass()
})

test('a process that was frozen does not believe that it leads when it wakes up', async (t) => {
  const server = new LeaseServer()
  let jumpMs = 0
  const clock = new ManualClock()
  const own: Clock = { now: () => clock.now() + jumpMs, wait: (ms, signal) => clock.wait(ms, signal) }
  const a = replica(server, own, 'a')
  await clock.advance(10)
  t.true(a.leads())
  jumpMs = 60_000
  // No timer has run yet.
  t.false(a.leads())
  t.is(a.changes.length, 2)
})

test('a lease that somebody deletes is not taken while its holder may believe in it', async (t) => {
  const server = new LeaseServer()
  const clock = new ManualClock()
  const a = replica(server, clock, 'a')
  await clock.advance(10)
  const b = replica(server, clock, 'b')
  await clock.advance(5000)
  server.lease = undefined
  for (let i = 0; i < 300; i += 1) {
    t.false(a.leads() && b.leads())
    await clock.advance(100)
  }
  t.true(a.leads() || b.leads())
})

test('a leader whose renewal arrived but whose answer was lost goes on leading', async (t) => {
  const server = new LeaseServer()
  const clock = new ManualClock()
  const way = { ...straight }
  const a = replica(server, clock, 'a', way)
  await clock.advance(3000)
  way.backMs = () => 1e9
  await clock.advance(1000)
  way.backMs = () => 0
  await clock.advance(30_000)
  t.true(a.leads())
  t.is(a.changes.length, 1)
})

test('durations that could make two leaders are refused', (t) => {
  const clock = new ManualClock()
  const options = { namespace: 'n', name: 'l', identity: 'a', address: '', onChange: () => {}, log: memoryLog(), clock }
  const api = apiOver(new LeaseServer(), clock, straight)
  t.throws(() => new Election({ ...options, api, leaseDurationMs: 6000, renewDeadlineMs: 6000, retryPeriodMs: 2000 }), {
    instanceOf: RangeError,
    message: /renew deadline 6000 ms/,
  })
})

test('whatever requests, answers, clocks and restarts do, there are never two leaders', async (t) => {
  const delay = fc.constantFrom(0, 1, 50, 900, 2500, 4000, 9000, 30_000)
  const step = fc.record({
    advanceMs: fc.integer({ min: 1, max: 4000 }),
    who: fc.constantFrom(0, 1, 2),
    what: fc.constantFrom('slow-to', 'slow-back', 'refuse', 'heal', 'restart', 'nothing'),
    ms: delay,
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.array(fc.constantFrom(0.85, 1, 1.15), { minLength: 3, maxLength: 3 }),
      async (steps, rates) => {
        const server = new LeaseServer()
        const clock = new ManualClock()
        const ways = rates.map(() => ({ ...straight }))
        // Each has a clock of its own, which starts anywhere and runs a little fast or slow.
        const clocks = rates.map((rate, i): Clock => ({
          now: () => clock.now() * rate + i * 1e6,
          wait: (ms, signal) => clock.wait(ms / rate, signal),
        }))
        const start = (i: number): ReturnType<typeof replica> => replica(server, clocks[i]!, `r${i}`, ways[i]!)
        const replicas = rates.map((_, i) => start(i))
        const one = (): void => {
          const leaders = replicas.filter(({ leads }) => leads()).length
          if (leaders > 1) throw new Error(`${leaders} leaders`)
        }
        for (const { advanceMs, who, what, ms } of steps) {
          const way = ways[who]!
          if (what === 'slow-to') way.toMs = () => ms
          if (what === 'slow-back') way.backMs = () => ms
          if (what === 'refuse') way.refuses = () => true
          if (what === 'heal') Object.assign(way, straight)
          if (what === 'restart') {
            replicas[who]!.stop.abort()
            replicas[who] = start(who)
          }
          for (let rest = advanceMs; rest > 0; rest -= 250) {
            await clock.advance(Math.min(250, rest))
            one()
          }
        }
        for (const way of ways) Object.assign(way, straight)
        for (let i = 0; i < 120; i += 1) {
          await clock.advance(500)
          one()
        }
        if (!replicas.some(({ leads }) => leads())) throw new Error('nobody leads though all is well')
        for (const { stop } of replicas) stop.abort()
      },
    ),
    { numRuns: 40 },
  )
  t.pass()
})

test('over HTTP: a lease is made, renewed with its version, and given back', async (t) => {
  let lease: Stored | undefined
  let version = 0
  const server = await loopbackServer((received, response) => {
    if (received.method === 'GET') {
      return lease === undefined ? status(response, 404, 'NotFound') : json(response, 200, lease)
    }
    const body = JSON.parse(received.body) as Stored
    const fits =
      received.method === 'POST'
        ? lease === undefined
        : lease?.metadata.resourceVersion === body.metadata.resourceVersion
    if (!fits) return status(response, 409, 'Conflict')
    lease = { ...body, metadata: { ...body.metadata, resourceVersion: String((version += 1)) } }
    json(response, 200, lease)
  })
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  const stop = new AbortController()
  const election = new Election({
    api,
    namespace: 'system',
    name: 'lease',
    identity: 'pod-1',
    address: '192.0.2.1:7443',
    leaseDurationMs: 4000,
    renewDeadlineMs: 3000,
    retryPeriodMs: 50,
    onChange: () => {},
    log: memoryLog(),
  })
  const running = election.run(stop.signal)
  await until('some renewals', () => version > 3)
  t.true(election.state.leads)
  t.is(lease?.metadata.annotations?.['nodeleaf.io/address'], '192.0.2.1:7443')
  stop.abort()
  await running
  t.is(lease?.spec.holderIdentity, undefined)
  t.is(lease?.metadata.annotations?.['nodeleaf.io/address'], undefined)
  t.is(server.received[0]?.path, '/apis/coordination.k8s.io/v1/namespaces/system/leases/lease')
  api.close()
  await server.close()
})
