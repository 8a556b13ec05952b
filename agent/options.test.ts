import test from 'ava'
import { helpText, parseOptions, UsageError } from './options.ts'

test('without flags everything has a default', (t) => {
  const options = parseOptions([])
  t.is(options.command, 'run')
  t.is(options.configDir, '/etc/nodeleaf')
  t.is(options.netns, 'nodeleaf')
  t.is(options.frrName, 'nodeleaf')
  t.is(options.frrSockets, '/run/frr/nodeleaf')
  t.is(options.health, undefined)
})

test('the FRR path space and its sockets follow the namespace', (t) => {
  t.is(parseOptions(['--netns', 'r1']).frrSockets, '/run/frr/r1')
  t.is(parseOptions(['--netns', 'r1', '--frr-name', 'x']).frrSockets, '/run/frr/x')
  t.is(parseOptions(['--frr-sockets', '/s']).frrSockets, '/s')
})

test('uninstall takes the same flags', (t) => {
  const options = parseOptions(['uninstall', '--netns', 'r1', '--frr', 'external'])
  t.is(options.command, 'uninstall')
  t.is(options.frr, 'external')
})

test('health takes IPv4, IPv6 and all addresses', (t) => {
  t.deepEqual(parseOptions(['--health', '127.0.0.1:80']).health, { address: '127.0.0.1', port: 80 })
  t.deepEqual(parseOptions(['--health', '[::1]:80']).health, { address: '::1', port: 80 })
  t.deepEqual(parseOptions(['--health', ':80']).health, { address: '', port: 80 })
})

for (const args of [
  ['--nonsense'],
  ['start'],
  ['run', 'twice'],
  ['--netns', '../x'],
  ['--netns', ''],
  ['--node', ''],
  ['--config-dir', ''],
  ['--frr', 'docker'],
  ['--index', '-1'],
  ['--index', 'one'],
  ['--health', '80'],
  ['--health', '1.2.3.4:99999'],
  ['--log-format', 'xml'],
  ['--log-level', 'loud'],
  ['--resync', '0'],
]) {
  test(`"${args.join(' ')}" is refused with a message`, (t) => {
    const error = t.throws(() => parseOptions(args), { instanceOf: UsageError })
    t.true(error.message.length > 10)
  })
}

test('the help names every flag of the parser and fits a terminal', (t) => {
  const text = helpText()
  for (const flag of ['config-dir', 'node-file', 'netns', 'frr-sockets', 'health', 'resync'])
    t.regex(text, new RegExp(`--${flag}`))
  for (const line of text.split('\n')) t.true(line.length <= 120, line)
})
