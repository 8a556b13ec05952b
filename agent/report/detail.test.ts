import test from 'ava'
import type { SessionStatus, VniStatus } from '../status/document.ts'
import { detailMessage, nextDetail, NOTHING_KNOWN } from './detail.ts'

const AT = Date.parse('2026-01-01T00:00:00Z')
const time = (seconds: number): string => new Date(AT + seconds * 1000).toISOString()
const up = (since: string, received = 0): SessionStatus => ({
  peer: '192.0.2.1',
  state: 'Established',
  since,
  prefixesReceived: received,
})
const down = (state: string): SessionStatus => ({ peer: '192.0.2.1', state })
const vni = (state: string, macs = 0): VniStatus => ({ vni: 100, type: 'L3', state, vteps: 1, macs })
const first = nextDetail(NOTHING_KNOWN, { sessions: [up(time(0))], vnis: [vni('Up')] }, AT)

test('what is seen first is news, even if it is nothing', (t) => {
  t.true(first.version > 0n)
  t.true(nextDetail(NOTHING_KNOWN, { sessions: [], vnis: [] }, AT).version > 0n)
})

test('the same again is no news, though FRR tells the moment a little differently', (t) => {
  t.is(nextDetail(first, { sessions: [up(time(1))], vnis: [vni('Up')] }, AT + 60_000), first)
})

for (const [what, sessions, vnis] of [
  ['a session that goes down', [down('Active')], [vni('Up')]],
  ['a session that was down in between', [up(time(30))], [vni('Up')]],
  ['a session that is gone', [], [vni('Up')]],
  ['a VNI that goes down', [up(time(0))], [vni('Down')]],
  ['a VNI that is gone', [up(time(0))], []],
] as const) {
  test(`${what} is news at once`, (t) => {
    const next = nextDetail(first, { sessions, vnis }, AT + 1)
    t.is(next.version, first.version + 1n)
  })
}

test('counters are news every five seconds at most', (t) => {
  const more = { sessions: [up(time(0), 9)], vnis: [vni('Up', 9)] }
  t.is(nextDetail(first, more, AT + 4000), first)
  const next = nextDetail(first, more, AT + 6000)
  t.is(next.version, first.version + 1n)
  t.is(next.sessions[0]?.prefixesReceived, 9)
})

test('a session that is down and changes between Idle, Active and Connect is no news at once', (t) => {
  const lost = nextDetail(first, { sessions: [down('Idle')], vnis: first.vnis }, AT + 1000)
  t.is(lost.sessions[0]?.since, time(1))
  t.is(nextDetail(lost, { sessions: [down('Active')], vnis: first.vnis }, AT + 2000), lost)
  const later = nextDetail(lost, { sessions: [down('Connect')], vnis: first.vnis }, AT + 9000)
  t.is(later.sessions[0]?.since, time(1), 'it has been down since then')
})

test('on the wire nothing is lost', (t) => {
  const { sessions, vnis } = detailMessage(first)
  t.deepEqual(sessions, [
    { peer: '192.0.2.1', vrf: '', state: 'Established', sinceMs: BigInt(AT), prefixesReceived: 0, bfd: '' },
  ])
  t.deepEqual(vnis, [{ vni: 100, type: 'L3', state: 'Up', vteps: 1, macs: 0 }])
})
