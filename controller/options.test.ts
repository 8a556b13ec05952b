import test from 'ava'
import { UsageError } from '../flags/flags.ts'
import { helpText, parseCommand, type Surroundings } from './options.ts'

const around: Surroundings = { env: {}, hostName: 'host', inCluster: false }
const pod: Surroundings = {
  env: { POD_NAME: 'nodeleaf-1', POD_IP: 'fd00::1', POD_NAMESPACE: 'net' },
  hostName: 'host',
  inCluster: true,
}
const files = ['--config-dir', '/c', '--state-dir', '/s']

function run(args: readonly string[], surroundings = around) {
  const command = parseCommand(args, surroundings)
  if (command.type !== 'run') throw new Error(command.type)
  return command.options
}

test('a Pod needs no flag', (t) => {
  t.like(run([], pod), {
    source: { type: 'kubernetes' },
    namespace: 'net',
    name: 'nodeleaf-1',
    advertise: '[fd00::1]:7443',
    listen: { address: '::', port: 7443 },
    webhook: { address: '::', port: 9443 },
    metrics: { address: '::', port: 8080 },
    indexRestMs: 3_600_000,
    leaseDurationMs: 8000,
  })
})

test('outside, $KUBECONFIG says where the API server is; a flag goes before it', (t) => {
  const env = { KUBECONFIG: '/k' }
  t.deepEqual(run([], { ...around, env }).source, { type: 'kubernetes', kubeconfig: '/k' })
  t.deepEqual(run(['--kubeconfig', '/l'], { ...around, env }).source, { type: 'kubernetes', kubeconfig: '/l' })
})

test('with files there is no webhook', (t) => {
  const options = run(files)
  t.deepEqual(options.source, { type: 'directory', configDir: '/c', stateDir: '/s' })
  t.is(options.webhook, undefined)
  t.is(options.name, 'host')
})

test('what can be off is', (t) => {
  const options = run(['--webhook', 'off', '--metrics', 'off'], pod)
  t.deepEqual([options.webhook, options.metrics], [undefined, undefined])
})

test('issuing a certificate needs to know where and for whom', (t) => {
  const args = ['issue-agent-certificate', '--state-dir', '/s', '--node', 'vm1', '--days', '30']
  t.deepEqual(parseCommand(args, around), {
    type: 'issue',
    options: { stateDir: '/s', node: 'vm1', out: '.', days: 30 },
  })
  t.throws(() => parseCommand(args.slice(0, 3), around), { message: '--node is needed' })
})

const unusable: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [[], /give --kubeconfig FILE, or --config-dir and --state-dir/],
  [['--config-dir', '/c'], /--config-dir needs --state-dir/],
  [['--state-dir', '/s', '--kubeconfig', '/k'], /--state-dir goes with --config-dir/],
  [[...files, '--kubeconfig', '/k'], /exclude each other/],
  [[...files, '--tls-ca', '/ca'], /go together/],
  [[...files, '--listen', '7443'], /ADDRESS:PORT/],
  [[...files, '--retry-period', '7s'], /--retry-period must be shorter than --renew-deadline/],
  [[...files, '--renew-deadline', '10s'], /--renew-deadline must be shorter than --lease-duration/],
  [[...files, '--index-rest', 'soon'], /--index-rest is "soon", but must be a duration/],
  [[...files, 'walk'], /the command is "walk"/],
  [[...files, 'run', 'fast'], /unexpected argument "fast"/],
]
for (const [args, message] of unusable)
  test(`"${args.join(' ')}" cannot be used`, (t) => {
    t.throws(() => parseCommand(args, around), { instanceOf: UsageError, message })
  })

test('the help text names every flag of the brief', (t) => {
  const help = helpText()
  for (const flag of [
    'kubeconfig',
    'config-dir',
    'state-dir',
    'namespace',
    'listen',
    'advertise',
    'webhook',
    'metrics',
    'tls-ca',
    'index-rest',
    'lease-duration',
    'log-level',
  ])
    t.true(help.includes(`--${flag} `), flag)
})
