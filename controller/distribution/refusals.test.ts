import { status } from '@grpc/grpc-js'
import test from 'ava'
import { createLog } from '../../log/log.ts'
import { Refusals } from './refusals.ts'

function setUp() {
  const lines: string[] = []
  let nowMs = 0
  const log = createLog({ level: 'info', format: 'kv', now: () => new Date(0), write: (line) => lines.push(line) })
  const refusals = new Refusals(log, () => nowMs)
  const note = (peer: string, reason: string): void =>
    refusals.note(peer, { code: status.UNAUTHENTICATED, reason, details: '' }, 'because')
  return { lines, note, pass: (ms: number) => (nowMs += ms) }
}

test('a peer that tries again and again is one line a minute, which says how often it tried', (t) => {
  const { lines, note, pass } = setUp()
  for (const port of [1001, 1002, 1003]) note(`10.0.0.1:${port}`, 'TokenExpired')
  t.is(lines.length, 1)
  t.regex(lines[0] ?? '', /peer=10\.0\.0\.1:1001 reason=TokenExpired cause=because/)
  pass(60_000)
  note('10.0.0.1:1004', 'TokenExpired')
  t.is(lines.length, 2)
  t.regex(lines[1] ?? '', /refusedSinceLastLine=2/)
})

test('another peer, and another reason of the same peer, are lines of their own', (t) => {
  const { lines, note } = setUp()
  note('10.0.0.1:1', 'TokenExpired')
  note('[fd00::1]:1', 'TokenExpired')
  note('10.0.0.1:2', 'WrongAudience')
  note('10.0.0.1:3', 'WrongAudience')
  t.deepEqual(
    lines.map((line) => /peer=(\S+) reason=(\S+)/.exec(line)?.slice(1).join(' ')),
    ['10.0.0.1:1 TokenExpired', '[fd00::1]:1 TokenExpired', '10.0.0.1:2 WrongAudience'],
  )
})
