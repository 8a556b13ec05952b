import { create } from '@bufbuild/protobuf'
import test from 'ava'
import { DetailSchema, HelloSchema, ReportSchema } from '../../api/wire/generated/distribution_pb.ts'
import { routerNode } from '../../api/kinds/router-node.ts'
import type { Condition } from '../fabric/world.ts'
import { Fleet } from './fleet.ts'
import { routerNodeDetail, routerNodeState } from './router-node-status.ts'

const clock = { nowMs: 100_000, graceMs: 30_000 }
const hello = create(HelloSchema, { versions: { agent: '1', frr: '10.3', kernel: '6.12', datapath: 'per-vni' } })

function connected(): Fleet {
  const fleet = new Fleet()
  fleet.connected('a', hello, 90_000)
  fleet.planned('a', 'r1', [], 1, 90_000)
  fleet.acknowledged('a', 'r1', undefined)
  return fleet
}
const report = (fleet: Fleet, more: object = {}): void =>
  fleet.reported('a', create(ReportSchema, { applied: 'r1', lastGood: 'r1', settled: true, ...more }))
const stateOf = (fleet: Fleet, before: readonly Condition[] = [], nowMs = clock.nowMs) =>
  routerNodeState(fleet.of('a', 90_000), before, { ...clock, nowMs })
const condition = (fleet: Fleet, type: string, before?: readonly Condition[], nowMs?: number): Condition | undefined =>
  stateOf(fleet, before, nowMs)?.conditions.find((each) => each.type === type)

test('a node that works says so, with its versions and revisions; the CRD takes it', (t) => {
  const fleet = connected()
  report(fleet)
  const state = stateOf(fleet)
  t.deepEqual(
    state?.conditions.map(({ type, status }) => [type, status]),
    [
      ['Connected', 'True'],
      ['Ready', 'True'],
    ],
  )
  t.deepEqual(state?.revision, { desired: 'r1', applied: 'r1', lastGood: 'r1' })
  t.is(state?.versions.datapath, 'per-vni')
  t.true(routerNode.status.safeParse(state).success)
})

test('failures are named, the first 64 of them, and counted', (t) => {
  const fleet = connected()
  const unready = Array.from({ length: 66 }, (_, at) => ({
    kind: 'L2VNI',
    name: `v${at}`,
    state: 'Failed',
    reason: 'NoBridge',
    message: 'x'.repeat(2000),
  }))
  report(fleet, { unready })
  const state = stateOf(fleet)
  t.is(state?.failures.length, 64)
  t.true(state?.failures.every(({ message }) => message.length <= 512))
  t.regex(condition(fleet, 'Ready')?.message ?? '', /^L2VNI\/v0: x+…; and 65 more$/)
  t.true(routerNode.status.safeParse(state).success)
})

test('what failed comes before what waits', (t) => {
  const fleet = connected()
  const unready = ['Pending', 'Failed', 'Applying'].map((state) => ({
    kind: 'L2VNI',
    name: state,
    state,
    message: state,
  }))
  report(fleet, { unready })
  t.deepEqual(
    stateOf(fleet)?.failures.map(({ name }) => name),
    ['Failed', 'Pending'],
  )
})

test('a change that is on its way does not make a node not Ready, one that takes too long does', (t) => {
  const fleet = connected()
  report(fleet)
  const before = stateOf(fleet)?.conditions ?? []
  fleet.planned('a', 'r2', [], 2, 100_000)
  t.is(condition(fleet, 'Ready', before, 101_000)?.status, 'True')
  t.is(condition(fleet, 'Ready', before, 111_000)?.reason, 'Applying')
})

test('Connected is told at once, Ready is kept for the grace', (t) => {
  const fleet = connected()
  report(fleet)
  fleet.disconnected('a', 100_000)
  t.is(condition(fleet, 'Connected')?.status, 'False')
  t.is(condition(fleet, 'Ready')?.status, 'True')
  t.is(condition(fleet, 'Ready', [], 130_000)?.status, 'Unknown')
})

test('of a node that is expected back nothing is said', (t) => {
  const fleet = new Fleet()
  fleet.expect('a', 90_000)
  t.is(stateOf(fleet), undefined)
  t.is(condition(fleet, 'Ready', [], 120_000)?.status, 'Unknown')
})

test('an agent that does not take its plan is not Ready, and says why', (t) => {
  const fleet = connected()
  report(fleet)
  fleet.acknowledged('a', 'r1', 'the disk is full')
  t.like(condition(fleet, 'Ready'), {
    reason: 'PlanNotTaken',
    message: 'the agent did not take the plan: the disk is full',
  })
})

test('details become what the CRD takes', (t) => {
  const detail = routerNodeDetail(
    create(DetailSchema, {
      version: 1n,
      sessions: [{ peer: '192.0.2.1', state: 'Established', sinceMs: 1000n, prefixesReceived: 0 }],
      vnis: [{ vni: 110, type: 'L2', state: 'Up', macs: 3 }],
    }),
  )
  t.deepEqual(detail.sessions, [
    { peer: '192.0.2.1', state: 'Established', since: '1970-01-01T00:00:01Z', prefixesReceived: 0 },
  ])
  t.true(routerNode.status.safeParse(detail).success)
})

test('a moment that no calendar has is left out of the status', (t) => {
  const sessions = [2n ** 63n - 1n, 8_640_000_000_000_000n, 1_000n].map((sinceMs) => ({
    peer: 'p',
    state: 's',
    sinceMs,
  }))
  const detail = routerNodeDetail(create(DetailSchema, { sessions }))
  t.deepEqual(
    detail.sessions.map(({ since }) => since),
    [undefined, undefined, '1970-01-01T00:00:01Z'],
  )
})
