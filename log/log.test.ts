import test from 'ava'
import { createLog, messageOf, type Format, type Level } from './log.ts'

function collect(level: Level, format: Format): { lines: string[]; log: ReturnType<typeof createLog> } {
  const lines: string[] = []
  const now = (): Date => new Date('2026-01-02T03:04:05.678Z')
  return { lines, log: createLog({ level, format, now, write: (line) => lines.push(line) }) }
}

test('a line is key=value, quoted where needed', (t) => {
  const { lines, log } = collect('info', 'kv')
  log.info('plan applied', { revision: 'abc', writes: 3, reason: 'file "a" changed' })
  t.deepEqual(lines, [
    'time=2026-01-02T03:04:05.678Z level=info msg="plan applied" revision=abc writes=3 reason="file \\"a\\" changed"',
  ])
})

test('a line is one JSON object when JSON is asked for', (t) => {
  const { lines, log } = collect('info', 'json')
  log.warn('file is bad', { file: 'a.yaml', line: 3 })
  t.deepEqual(JSON.parse(lines[0] ?? ''), {
    time: '2026-01-02T03:04:05.678Z',
    level: 'warn',
    msg: 'file is bad',
    file: 'a.yaml',
    line: 3,
  })
})

test('lines below the level are dropped', (t) => {
  const { lines, log } = collect('warn', 'kv')
  log.debug('no')
  log.info('no')
  log.error('yes')
  t.is(lines.length, 1)
})

test('passwords are masked in keys, messages and FRR lines', (t) => {
  const { lines, log } = collect('info', 'kv')
  log.info('neighbor 192.0.2.1 password hunter2 refused', {
    password: 'hunter2',
    command: ' neighbor 192.0.2.1 password 8 hunter2',
    error: new Error('bad line', { cause: new Error('password hunter2') }),
  })
  t.false(lines.join('\n').includes('hunter2'))
})

test('the message of an error names its causes once', (t) => {
  t.is(messageOf(new Error('a', { cause: new Error('b') })), 'a: b')
  t.is(messageOf(new Error('a: b', { cause: new Error('b') })), 'a: b')
  t.is(messageOf('text'), 'text')
})
