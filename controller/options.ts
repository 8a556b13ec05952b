/** The controller's command line. */
import {
  durationMs,
  endpoint,
  flagRows,
  integer,
  oneOf,
  parseFlags,
  UsageError,
  type Endpoint,
  type Flags,
  type Parsed,
} from '../flags/flags.ts'
import { FORMATS, LEVELS, type Format, type Level } from '../log/log.ts'

/** What declares the world: the Kubernetes API, or files. */
export type SourceOptions =
  | { readonly type: 'kubernetes'; readonly kubeconfig?: string }
  | { readonly type: 'directory'; readonly configDir: string; readonly stateDir: string }

export interface ControllerOptions {
  readonly source: SourceOptions
  readonly namespace: string
  /** Identity of this replica. */
  readonly name: string
  readonly listen: Endpoint
  /** ADDRESS:PORT at which agents reach this replica; absent: the address that --listen came to have. */
  readonly advertise?: string
  readonly webhook?: Endpoint
  /** How long the webhook goes on when the controller stops: the API server comes here until the Service leads elsewhere. */
  readonly webhookDrainMs: number
  readonly metrics?: Endpoint
  /** Certificates of a person's own in place of those the controller makes. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
  readonly indexRestMs: number
  /** How long an agent may be away before what it should do is no longer taken for Ready. */
  readonly agentGraceMs: number
  readonly leaseDurationMs: number
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
  readonly logFormat: Format
  readonly logLevel: Level
}

/** Where `issue-agent-certificate` finds the CA and puts what it makes. */
export interface IssueOptions {
  readonly stateDir: string
  readonly node: string
  readonly out: string
  /** Absent: a year, and never longer than the CA. */
  readonly days?: number
}

export type Command =
  | { readonly type: 'run'; readonly options: ControllerOptions }
  | { readonly type: 'issue'; readonly options: IssueOptions }
  | { readonly type: 'help' }
  | { readonly type: 'version' }

/** What of the process's surroundings has a say. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly hostName: string
  /** Whether the process runs in a Pod with a ServiceAccount. */
  readonly inCluster: boolean
}

const FLAGS: Flags = {
  kubeconfig: { value: 'FILE', help: 'how to reach the API server (default: as a Pod, else $KUBECONFIG)' },
  'config-dir': { value: 'DIR', help: 'no Kubernetes: resources as *.yaml, *.yml and *.json files; watched' },
  'state-dir': { value: 'DIR', help: 'with --config-dir: numbers of nodes, certificates, status (needed)' },
  namespace: {
    value: 'NAME',
    help: 'where Secrets, Lease and ConfigMaps are (default: $POD_NAMESPACE, else nodeleaf-system)',
  },
  name: { value: 'NAME', help: 'identity of this replica (default: $POD_NAME, else the host name)' },
  listen: { value: 'ADDRESS:PORT', default: '[::]:7443', help: 'where agents connect (gRPC over TLS)' },
  advertise: {
    value: 'ADDRESS:PORT',
    help: 'where agents reach this replica (default: $POD_IP and the port of --listen)',
  },
  webhook: { value: 'ADDRESS:PORT', default: '[::]:9443', help: 'admission webhook (HTTPS), or off' },
  'webhook-drain': {
    value: 'DURATION',
    default: '5s',
    help: 'how long the webhook goes on after SIGTERM, until the Service leads elsewhere',
  },
  metrics: { value: 'ADDRESS:PORT', default: '[::]:8080', help: '/metrics, /healthz and /readyz, or off' },
  'tls-ca': { value: 'FILE', help: 'CA of agents and controller (default: the controller makes its own)' },
  'tls-cert': { value: 'FILE', help: 'certificate of this controller; with --tls-ca' },
  'tls-key': { value: 'FILE', help: 'its key; with --tls-ca' },
  'index-rest': { value: 'DURATION', default: '1h', help: "how long a gone node's number and addresses rest" },
  'agent-grace': {
    value: 'DURATION',
    default: '30s',
    help: 'how long an agent may be away before its node counts as not Ready',
  },
  'lease-duration': {
    value: 'DURATION',
    default: '8s',
    help: 'a leader that did not renew for this long may be replaced',
  },
  'renew-deadline': {
    value: 'DURATION',
    default: '5s',
    help: 'a leader that could not renew for this long steps down',
  },
  'retry-period': { value: 'DURATION', default: '1s', help: 'how often the Lease is looked at' },
  'log-format': { value: 'FORMAT', default: 'kv', help: 'kv or json' },
  'log-level': { value: 'LEVEL', default: 'info', help: 'debug, info, warn or error' },
}

const ISSUE_FLAGS: Flags = {
  'state-dir': { value: 'DIR', help: 'state directory of the controller, with its CA (needed)' },
  node: { value: 'NAME', help: 'the node that the certificate is for (needed)' },
  out: { value: 'DIR', default: '.', help: 'where tls.crt, tls.key and ca.crt are written' },
  days: { value: 'N', help: 'how long it is valid (default: a year, and no longer than the CA)' },
}

/** The text of `nodeleaf-controller --help`. */
export function helpText(): string {
  return [
    'nodeleaf-controller turns what users declare into a plan for each node, and tells how the nodes fare. Its agents keep',
    'what they have while it is away.',
    '',
    'Usage: nodeleaf-controller [run] [FLAGS]                                        with the Kubernetes API',
    '       nodeleaf-controller [run] --config-dir DIR --state-dir DIR [FLAGS]       with files',
    '       nodeleaf-controller issue-agent-certificate --state-dir DIR --node NAME [--out DIR] [--days N]',
    '       nodeleaf-controller --help | --version',
    '',
    'Flags of run:',
    ...flagRows(FLAGS),
    '',
    'Flags of issue-agent-certificate:',
    ...flagRows(ISSUE_FLAGS),
    '',
    'Durations are written as 90s, 10m or 1h. Exit codes: 0 done, 1 failed, 2 the command line cannot be used.',
    '',
  ].join('\n')
}

/** Reads the arguments after the program's name. @throws UsageError */
export function parseCommand(args: readonly string[], around: Surroundings): Command {
  const issues = args[0] === 'issue-agent-certificate'
  const parsed = parseFlags(issues ? ISSUE_FLAGS : FLAGS, args, 1)
  if (parsed.help) return { type: 'help' }
  if (parsed.version) return { type: 'version' }
  if (issues) return { type: 'issue', options: issueOptions(parsed) }
  oneOf('the command', parsed.positionals[0] ?? 'run', ['run', 'issue-agent-certificate'] as const)
  return { type: 'run', options: controllerOptions(parsed, around) }
}

function controllerOptions(parsed: Parsed, { env, hostName, inCluster }: Surroundings): ControllerOptions {
  const { text } = parsed
  const listen = endpoint('listen', required(parsed, 'listen'))
  const podIP = env['POD_IP']
  const advertise = text('advertise') ?? (podIP ? joined(podIP, listen.port) : undefined)
  const tls = tlsFiles(parsed)
  const webhook = endpointOrOff(parsed, 'webhook')
  const metrics = endpointOrOff(parsed, 'metrics')
  const source = sourceOptions(parsed, env, inCluster)
  const duration = (flag: string): number => durationMs(flag, required(parsed, flag))
  const lease = {
    leaseDurationMs: duration('lease-duration'),
    renewDeadlineMs: duration('renew-deadline'),
    retryPeriodMs: duration('retry-period'),
  }
  // As in client-go's leader election: a leader must have stepped down before another may take over.
  if (!(lease.retryPeriodMs > 0 && lease.retryPeriodMs < lease.renewDeadlineMs))
    throw new UsageError('--retry-period must be shorter than --renew-deadline, and more than 0')
  if (lease.renewDeadlineMs >= lease.leaseDurationMs)
    throw new UsageError('--renew-deadline must be shorter than --lease-duration')
  if (advertise !== undefined) endpoint('advertise', advertise)
  return {
    source,
    namespace: text('namespace') ?? env['POD_NAMESPACE'] ?? 'nodeleaf-system',
    name: text('name') ?? env['POD_NAME'] ?? hostName,
    listen,
    ...(advertise === undefined ? {} : { advertise }),
    ...(webhook === undefined || source.type === 'directory' ? {} : { webhook }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(tls === undefined ? {} : { tls }),
    webhookDrainMs: duration('webhook-drain'),
    indexRestMs: duration('index-rest'),
    agentGraceMs: duration('agent-grace'),
    ...lease,
    logFormat: oneOf('--log-format', required(parsed, 'log-format'), FORMATS),
    logLevel: oneOf('--log-level', required(parsed, 'log-level'), LEVELS),
  }
}

function sourceOptions({ text }: Parsed, env: Surroundings['env'], inCluster: boolean): SourceOptions {
  const [configDir, stateDir] = [text('config-dir'), text('state-dir')]
  const kubeconfig = text('kubeconfig') ?? (inCluster ? undefined : env['KUBECONFIG'])
  if (configDir !== undefined) {
    if (text('kubeconfig') !== undefined)
      throw new UsageError('--config-dir and --kubeconfig exclude each other: give one of them')
    if (stateDir === undefined) throw new UsageError('--config-dir needs --state-dir, where numbers of nodes are kept')
    return { type: 'directory', configDir, stateDir }
  }
  if (stateDir !== undefined) throw new UsageError('--state-dir goes with --config-dir')
  if (kubeconfig === undefined && !inCluster)
    throw new UsageError(
      'nothing says where the resources are: give --kubeconfig FILE, or --config-dir and --state-dir',
    )
  return { type: 'kubernetes', ...(kubeconfig === undefined ? {} : { kubeconfig }) }
}

function tlsFiles({ text }: Parsed): ControllerOptions['tls'] {
  const [ca, cert, key] = [text('tls-ca'), text('tls-cert'), text('tls-key')]
  if (ca === undefined && cert === undefined && key === undefined) return undefined
  if (ca === undefined || cert === undefined || key === undefined)
    throw new UsageError('--tls-ca, --tls-cert and --tls-key go together: give all three or none')
  return { ca, cert, key }
}

function issueOptions(parsed: Parsed): IssueOptions {
  const days = parsed.text('days')
  return {
    stateDir: required(parsed, 'state-dir'),
    node: required(parsed, 'node'),
    out: required(parsed, 'out'),
    ...(days === undefined ? {} : { days: integer('days', days, 1, 3650) }),
  }
}

function endpointOrOff(parsed: Parsed, flag: string): Endpoint | undefined {
  const value = required(parsed, flag)
  return value === 'off' ? undefined : endpoint(flag, value)
}

function required({ text }: Parsed, flag: string): string {
  const value = text(flag)
  if (value === undefined) throw new UsageError(`--${flag} is needed`)
  return value
}

function joined(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
