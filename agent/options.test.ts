import test from 'ava'
import { UsageError } from '../flags/flags.ts'
import { helpText, parseOptions } from './options.ts'

test('without flags everything has a default', (t) => {
  const options = parseOptions([])
  t.is(options.command, 'run')
  t.is(options.configDir, '/etc/nodeleaf')
  t.is(options.netns, 'nodeleaf')
  t.is(options.frrName, 'nodeleaf')
  t.is(options.frrSockets, '/run/frr/nodeleaf')
  t.is(options.health, undefined)
  t.is(options.datapath, 'auto')
})

test('the shape of the datapath may be forced', (t) => {
  t.is(parseOptions(['--datapath', 'single']).datapath, 'single')
  t.is(parseOptions(['--datapath=per-vni']).datapath, 'per-vni')
  t.throws(() => parseOptions(['--datapath', 'both']), { message: /--datapath.*auto, single/ })
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

const controller = ['--controller', 'c.example:7443', '--controller-ca', '/ca']

test('a controller is known by address, authority, name and a proof of the node', (t) => {
  t.is(parseOptions([]).controller, undefined)
  t.deepEqual(parseOptions([...controller, '--token-file', '/t']).controller, {
    host: 'c.example',
    port: 7443,
    ca: '/ca',
    name: 'c.example',
    proof: { tokenFile: '/t' },
  })
  const flags = ['--controller', '[fd00::1]:1', '--controller-ca', '/ca', '--controller-name', 'n']
  t.deepEqual(parseOptions([...flags, '--tls-cert', '/c', '--tls-key', '/k']).controller, {
    host: 'fd00::1',
    port: 1,
    ca: '/ca',
    name: 'n',
    proof: { certFile: '/c', keyFile: '/k' },
  })
})

for (const args of [
  controller,
  ['--controller', 'c:7443', '--token-file', '/t'],
  ['--controller', 'c', '--controller-ca', '/ca', '--token-file', '/t'],
  ['--controller', ':7443', '--controller-ca', '/ca', '--token-file', '/t'],
  [...controller, '--tls-cert', '/c'],
  [...controller, '--tls-key', '/k'],
  [...controller, '--token-file', '/t', '--tls-cert', '/c', '--tls-key', '/k'],
  [...controller, '--token-file', '/t', '--tls-key', '/k'],
  ['--controller-ca', '/ca'],
  ['--token-file', '/t'],
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
  for (const flag of [
    'config-dir',
    'node-file',
    'netns',
    'frr-sockets',
    'health',
    'resync',
    'controller',
    'token-file',
  ])
    t.regex(text, new RegExp(`--${flag}`))
  for (const line of text.split('\n')) t.true(line.length <= 120, line)
})
