import test from 'ava'
import { durationMs, endpoint, flagRows, parseFlags, UsageError } from './flags.ts'

const FLAGS = {
  dir: { value: 'DIR', default: '/x', help: 'a directory' },
  name: { value: 'NAME', help: 'a name' },
  quick: { help: 'in a hurry' },
}

test('values given go before defaults', (t) => {
  const { text, positionals } = parseFlags(FLAGS, ['run', '--name', 'a'], 1)
  t.deepEqual([text('dir'), text('name'), positionals], ['/x', 'a', ['run']])
})

test('a switch is on when it is given, and takes no value', (t) => {
  t.true(parseFlags(FLAGS, ['--quick', '--name', 'a']).on('quick'))
  t.false(parseFlags(FLAGS, []).on('quick'))
})

for (const args of [['--nonsense'], ['--name'], ['--name='], ['--quick=yes'], ['extra']])
  test(`${args.join(' ')} is no use`, (t) => {
    t.throws(() => parseFlags(FLAGS, args), { instanceOf: UsageError })
  })

for (const [text, ms] of [
  ['90s', 90_000],
  ['10m', 600_000],
  ['1h', 3_600_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['1.5s', 1500],
  ['0', 0],
] as const)
  test(`${text} is ${ms} ms`, (t) => t.is(durationMs('rest', text), ms))

for (const text of ['', '5', 's', '-1s', '1 h', '1d'])
  test(`"${text}" is no duration`, (t) => {
    t.throws(() => durationMs('rest', text), { message: /--rest is .* but must be a duration/ })
  })

test('endpoints have a port, and brackets around IPv6', (t) => {
  t.deepEqual(endpoint('listen', '[::]:7443'), { address: '::', port: 7443 })
  t.deepEqual(endpoint('listen', '127.0.0.1:0'), { address: '127.0.0.1', port: 0 })
  t.deepEqual(endpoint('listen', ':80'), { address: '', port: 80 })
  for (const text of ['7443', '::1:80', 'a:b', 'a:70000']) t.throws(() => endpoint('listen', text))
})

test('each flag has a line with its default', (t) => {
  t.deepEqual(flagRows(FLAGS), [
    '  --dir DIR                a directory (default: /x)',
    '  --name NAME              a name',
    '  --quick                  in a hurry',
  ])
})
