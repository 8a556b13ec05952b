import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import test, { type ExecutionContext } from 'ava'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { piecesOf } from '../api/plan/pieces.ts'
import type { NodePlan } from '../api/plan/node-plan.ts'
import { revisionOf } from '../api/plan/revision.ts'
import { PlanUpdateSchema } from '../api/wire/generated/distribution_pb.ts'
import { createLog } from '../log/log.ts'
import { ControllerLink, type LinkParts } from './controller-link.ts'
import { parseOptions } from './options.ts'
import { FakeController, type FakeStream } from '../e2e/peers/fake-controller.ts'
import { makePki } from '../e2e/peers/pki.ts'
import { FollowedSource } from './source/followed-source.ts'
import type { Planned } from './source/planned.ts'
import type { SessionStatus } from './status/document.ts'

const pki = await makePki(['controller.example'])
const { ca, token } = pki.files

async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const end = performance.now() + 60_000
  for (;;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`${what}: not within 60 s`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Everything is read every 15 s, whatever happens (report/frr-watch.ts, which says how soon the rest is noticed). */
const LONG_BEFORE_SLOW_MS = 8000

const planOn = (asn: number): NodePlan => ({
  node: 'n1',
  router: {
    for: { kind: 'Underlay', name: 'fabric' },
    asn,
    routerID: '100.65.0.1',
    vteps: ['100.65.0.1'],
    vtepPools: ['100.65.0.0/24'],
    routerMAC: '02:6e:64:41:00:01',
    interfaces: [],
    neighbors: [],
    maximumPaths: 64,
    multipathRelax: true,
  },
  vrfs: [],
  segments: [],
})
const updateTo = (plan: NodePlan, base = '') =>
  create(PlanUpdateSchema, {
    base,
    revision: revisionOf(plan),
    set: piecesOf(plan).map(({ key, json }) => ({ key, json: new Uint8Array(json) })),
  })

/** The agent's side without kernel and FRR, and a controller. */
async function setup(t: ExecutionContext, opened: (stream: FakeStream) => void = (stream) => stream.welcome()) {
  const fake = await FakeController.start(pki, opened)
  t.teardown(() => fake.stop())
  const base = mkdtempSync(join(tmpdir(), 'nodeleaf-link-'))
  const flags = {
    controller: `127.0.0.1:${fake.port}`,
    'controller-ca': ca,
    'controller-name': 'controller.example',
    'token-file': token,
    node: 'n1',
    'config-dir': join(base, 'config'),
    'state-dir': join(base, 'state'),
  }
  const options = parseOptions(Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]))
  const log = createLog({ level: 'debug', format: 'kv', now: () => new Date(0), write: () => undefined })
  const state = {
    wanted: [] as Planned[],
    sessions: [{ peer: '192.0.2.1', state: 'Established', since: '2026-01-01T00:00:00Z' }] as SessionStatus[],
    facts: { progress: {}, resources: [], versions: { agent: '1' } } as ReturnType<LinkParts['facts']>,
  }
  const frr: LinkParts['frr'] = {
    down: async () => state.sessions.map(({ state: each }) => each).join(),
    sessions: async () => state.sessions,
    vnis: async () => [{ vni: 100, type: 'L3', state: 'Up' }],
  }
  const boot = async (): Promise<{ link: ControllerLink; source: FollowedSource; stop: () => Promise<void> }> => {
    const stop = new AbortController()
    const source = await FollowedSource.open(options, log, (planned, changed) => {
      if (changed) state.wanted.push(planned)
    })
    if (options.controller === undefined) throw new Error('no controller')
    const link = new ControllerLink({ options: options.controller, log, source, frr, facts: () => state.facts })
    const running = link.run(stop.signal)
    return { link, source, stop: async () => (stop.abort(), running) }
  }
  const agent = await boot()
  t.teardown(() => agent.stop())
  const stream = await until('a stream', () => fake.streams[0])
  return { fake, state, stream, ...agent, boot }
}

const last = <T>(list: readonly T[]): T | undefined => list.at(-1)

test('a plan is stored, acknowledged, handed on and reported; the next stream says hello with it', async (t) => {
  const { fake, state, stream, link, source, stop, boot } = await setup(t)
  t.like(await until('hello', () => stream.all('hello')[0]), { node: 'n1', revision: '', planVersions: ['v1alpha1'] })
  const [one, two] = [planOn(64514), planOn(64515)]
  stream.send({ case: 'plan', value: updateTo(one) })
  stream.send({ case: 'plan', value: updateTo(two, revisionOf(one)) })
  await until('two acknowledgements', () => stream.all('acknowledgement').length === 2)
  t.deepEqual(
    stream.all('acknowledgement').map(({ revision, error }) => [revision, error]),
    [
      [revisionOf(one), ''],
      [revisionOf(two), ''],
    ],
  )
  t.is(last(state.wanted)?.controllerRevision, revisionOf(two))
  t.is(source.reading.lastGood, revisionOf(two))
  await until('it is reported', () => last(stream.all('report'))?.lastGood === revisionOf(two))
  t.false(last(stream.all('report'))?.settled)
  state.facts = { ...state.facts, progress: { tried: revisionOf(two), applied: revisionOf(two) } }
  link.changed()
  await until('it is in place', () => last(stream.all('report'))?.settled)
  t.is(last(stream.all('report'))?.applied, revisionOf(two))
  await stop()
  const again = await boot()
  t.teardown(() => again.stop())
  const second = await until('a second stream', () => fake.streams[1])
  t.is((await until('hello', () => second.all('hello')[0])).revision, revisionOf(two))
})

test('a bad update is acknowledged with the reason and what was there', async (t) => {
  const { stream, state } = await setup(t)
  const good = planOn(64514)
  stream.send({ case: 'plan', value: updateTo(good) })
  stream.send({ case: 'plan', value: { ...updateTo(planOn(1)), revision: 'wrong' } })
  await until('two acknowledgements', () => stream.all('acknowledgement').length === 2)
  const refused = stream.all('acknowledgement')[1]
  t.is(refused?.revision, revisionOf(good))
  t.regex(refused?.error ?? '', /not wrong/)
  t.is(state.wanted.length, 1)
})

test('an update that a lost stream left half does not spoil the next stream', async (t) => {
  const { fake, stream } = await setup(t)
  const good = planOn(64514)
  stream.send({ case: 'plan', value: { ...updateTo(good), more: true } })
  stream.fail(status.UNAVAILABLE, 'gone')
  const second = await until('a second stream', () => fake.streams[1])
  second.send({ case: 'plan', value: updateTo(good) })
  t.is((await until('acknowledgement', () => second.all('acknowledgement')[0])).error, '')
})

test('detail is sent whenever it is asked for: the controller may have lost what it was told', async (t) => {
  const { stream, state, link } = await setup(t)
  await until('detail is announced', () => (last(stream.all('report'))?.detailVersion ?? 0n) > 0n)
  t.is(stream.all('detail').length, 0, 'nobody asked')
  stream.send({ case: 'detailRequest', value: {} })
  const first = await until('detail', () => stream.all('detail')[0])
  t.is(first.sessions[0]?.peer, '192.0.2.1')
  t.is(first.vnis[0]?.vni, 100)
  const empty = await until('an empty message', () => {
    const at = stream.messages.findIndex((message) => message.case === undefined)
    return at === -1 ? undefined : at
  })
  t.is(stream.messages[empty - 1]?.case, 'detail')
  stream.send({ case: 'detailRequest', value: {} })
  const second = await until('the same again', () => stream.all('detail')[1])
  t.deepEqual(second, first)
  state.sessions = [{ peer: '192.0.2.1', state: 'Active' }]
  link.hint('session')
  const began = performance.now()
  await until('news is announced', () => (last(stream.all('report'))?.detailVersion ?? 0n) > first.version)
  t.true(performance.now() - began < LONG_BEFORE_SLOW_MS)
  t.is(stream.all('detail').length, 2, 'nobody asked')
  stream.send({ case: 'detailRequest', value: {} })
  const third = await until('newer detail', () => stream.all('detail')[2])
  t.is(third.sessions[0]?.state, 'Active')
  t.true(third.version > first.version)
})

test('a session that comes up without a hint is reported long before everything is read anyway', async (t) => {
  const { stream, state } = await setup(t)
  const before = await until('detail is announced', () => last(stream.all('report'))?.detailVersion)
  await until('quiet', () => last(stream.all('report'))?.detailVersion !== 0n)
  state.sessions = [{ peer: '192.0.2.1', state: 'Active' }]
  const began = performance.now()
  await until('it is told', () => (last(stream.all('report'))?.detailVersion ?? 0n) > before)
  t.true(performance.now() - began < LONG_BEFORE_SLOW_MS)
})

test('an answer of FRR that cannot be understood is no end of the agent, and the next good one is told', async (t) => {
  const { stream, state } = await setup(t)
  await until('detail is announced', () => (last(stream.all('report'))?.detailVersion ?? 0n) > 0n)
  const before = last(stream.all('report'))?.detailVersion ?? 0n
  const good = state.sessions
  let asked = 0
  Object.defineProperty(state, 'sessions', {
    configurable: true,
    get: () => {
      asked++
      throw new RangeError('Invalid time value')
    },
  })
  await until('it was asked', () => asked > 1)
  Object.defineProperty(state, 'sessions', { value: good.map((each) => ({ ...each, state: 'Active' })) })
  await until('it is told', () => (last(stream.all('report'))?.detailVersion ?? 0n) > before)
  t.pass()
})

test('reports are few however much changes, none when nothing does, and the last one is true', async (t) => {
  const { stream, state, link } = await setup(t)
  await until('the first report', () => (last(stream.all('report'))?.detailVersion ?? 0n) > 0n)
  const before = stream.all('report').length
  const began = performance.now()
  for (let change = 1; change <= 200; change++) {
    state.facts = { ...state.facts, progress: { applied: `r${change}` } }
    link.changed()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await until('the last one', () => last(stream.all('report'))?.applied === 'r200')
  const seconds = (performance.now() - began) / 1000
  t.true(stream.all('report').length - before <= 4 * seconds + 2)
  const quiet = stream.all('report').length
  link.changed()
  await new Promise((resolve) => setTimeout(resolve, 600))
  t.is(stream.all('report').length, quiet)
})
