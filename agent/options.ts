/** The agent's command line: one table of flags makes the parser, the defaults and the help text. */
import {
  endpoint,
  flagRows,
  integer,
  oneOf,
  parseFlags,
  UsageError,
  type Endpoint,
  type Flags,
} from '../flags/flags.ts'
import { DATAPATH_MODES, type DatapathMode } from './datapath.ts'
import { FORMATS, LEVELS, type Format, type Level } from '../log/log.ts'

export interface AgentOptions {
  readonly command: 'run' | 'uninstall' | 'help' | 'version'
  readonly node?: string
  readonly nodeFile?: string
  readonly index?: number
  readonly configDir: string
  /** Where the plan comes from beside the files; absent: from the files alone. */
  readonly controller?: ControllerOptions
  readonly stateDir: string
  readonly runDir: string
  /** Name of the router's network namespace, below /run/netns. */
  readonly netns: string
  readonly frr: 'managed' | 'external'
  /** FRR path space (`-N`). */
  readonly frrName: string
  /** Directory of FRR's vty sockets. */
  readonly frrSockets: string
  readonly health?: Endpoint
  readonly logFormat: Format
  readonly logLevel: Level
  readonly resyncSeconds: number
  /** How VNIs are laid out in the kernel. */
  readonly datapath: DatapathMode
}

export interface ControllerOptions {
  readonly host: string
  readonly port: number
  /** PEM file of the authorities that the controller's certificate may come from; read at every dial. */
  readonly ca: string
  /** Name that the certificate must have. */
  readonly name: string
  /** How the agent proves which node it is; the files are read at every dial. */
  readonly proof: { readonly tokenFile: string } | { readonly certFile: string; readonly keyFile: string }
}

const FLAGS: Flags = {
  'config-dir': {
    value: 'DIR',
    default: '/etc/nodeleaf',
    help: 'resources as *.yaml, *.yml and *.json files; watched',
  },
  controller: {
    value: 'ADDRESS:PORT',
    help: 'gets the plan from there too; files count where it says nothing (default: files alone)',
  },
  'controller-ca': {
    value: 'FILE',
    help: "authorities (PEM) of the controller's certificate; needed with --controller",
  },
  'controller-name': {
    value: 'NAME',
    help: "name in the controller's certificate (default: the host of --controller)",
  },
  'token-file': { value: 'FILE', help: 'in Kubernetes: projected ServiceAccount token, audience nodeleaf' },
  'tls-cert': {
    value: 'FILE',
    help: 'outside Kubernetes: client certificate (PEM) that names the node; with --tls-key',
  },
  'tls-key': { value: 'FILE', help: 'its private key (PEM)' },
  node: { value: 'NAME', help: "this node's name (default: the node file's name, else the host name)" },
  'node-file': { value: 'FILE', help: 'YAML with name, labels and index (or indexFrom.interface) of this node' },
  index: { value: 'N', help: "this node's number, 0 or more; goes before the node file and RouterNode documents" },
  'state-dir': {
    value: 'DIR',
    default: '/var/lib/nodeleaf',
    help: 'what must survive a reboot: last good plan, NIC records',
  },
  'run-dir': { value: 'DIR', default: '/run/nodeleaf', help: 'agent.sock, asked by "nodeleaf status"' },
  netns: {
    value: 'NAME',
    default: 'nodeleaf',
    help: "the router's network namespace, /run/netns/NAME; made when missing",
  },
  frr: {
    value: 'MODE',
    default: 'managed',
    help: 'managed: the agent starts FRR in the namespace; external: it is there',
  },
  'frr-name': { value: 'NAME', help: 'FRR path space (-N) (default: the name of the namespace)' },
  'frr-sockets': { value: 'DIR', help: "directory of FRR's vty sockets (default: /run/frr/FRR-NAME)" },
  health: { value: 'ADDRESS:PORT', help: 'serve /healthz, /readyz and /metrics over TCP (default: off)' },
  datapath: {
    value: 'SHAPE',
    default: 'auto',
    help: 'auto, single (VNIs share VXLAN devices) or per-vni (one for each)',
  },
  resync: {
    value: 'SECONDS',
    default: '30',
    help: 'look at everything anew this often; less often where a look takes long',
  },
  'log-format': { value: 'FORMAT', default: 'kv', help: 'kv or json' },
  'log-level': { value: 'LEVEL', default: 'info', help: 'debug, info, warn or error' },
}

/** The text of `nodeleaf-agent --help`. */
export function helpText(): string {
  return [
    'nodeleaf-agent keeps this node a leaf of the EVPN fabric: it makes the router of the configuration in a network',
    'namespace, and keeps it that way. Stopping it changes nothing on the node.',
    '',
    'Usage: nodeleaf-agent [run] [FLAGS]       run until told to stop',
    '       nodeleaf-agent uninstall [FLAGS]   give everything back: NICs, namespaces, links, state files',
    '       nodeleaf-agent --help | --version',
    '',
    'Flags (the same for both commands):',
    ...flagRows(FLAGS),
    '',
    'Exit codes: 0 done, 1 failed, 2 the command line cannot be used.',
    '',
  ].join('\n')
}

/** Reads the arguments after the program's name. @throws UsageError */
export function parseOptions(args: readonly string[]): AgentOptions {
  const { text, positionals, help, version } = parseFlags(FLAGS, args, 1)
  const required = (flag: string): string => text(flag) ?? ''
  const command = help ? 'help' : version ? 'version' : (positionals[0] ?? 'run')
  const netns = name('netns', required('netns'))
  const frrName = name('frr-name', text('frr-name') ?? netns)
  const node = text('node')
  const nodeFile = text('node-file')
  const index = text('index')
  const health = text('health')
  const controller = controllerOptions(text)
  return {
    command: oneOf('the command', command, ['run', 'uninstall', 'help', 'version'] as const),
    ...(node === undefined ? {} : { node }),
    ...(nodeFile === undefined ? {} : { nodeFile }),
    ...(index === undefined ? {} : { index: integer('index', index, 0, 2 ** 31) }),
    configDir: required('config-dir'),
    ...(controller === undefined ? {} : { controller }),
    stateDir: required('state-dir'),
    runDir: required('run-dir'),
    netns,
    frr: oneOf('--frr', required('frr'), ['managed', 'external'] as const),
    frrName,
    frrSockets: text('frr-sockets') ?? `/run/frr/${frrName}`,
    ...(health === undefined ? {} : { health: endpoint('health', health) }),
    logFormat: oneOf('--log-format', required('log-format'), FORMATS),
    logLevel: oneOf('--log-level', required('log-level'), LEVELS),
    datapath: oneOf('--datapath', required('datapath'), DATAPATH_MODES),
    resyncSeconds: integer('resync', required('resync'), 1, 86_400),
  }
}

/** Names of namespaces and FRR path spaces become file names. */
function name(flag: string, value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(value)) {
    throw new UsageError(`--${flag} is "${value}", but must be letters, digits, "_", "." and "-", at most 64`)
  }
  return value
}

const CONTROLLER_FLAGS = ['controller-ca', 'controller-name', 'token-file', 'tls-cert', 'tls-key'] as const

/** @throws UsageError when the flags do not say where the controller is, how to know it, and how to prove the node. */
function controllerOptions(text: (flag: string) => string | undefined): ControllerOptions | undefined {
  const controller = text('controller')
  if (controller === undefined) {
    const stray = CONTROLLER_FLAGS.find((flag) => text(flag) !== undefined)
    if (stray !== undefined) throw new UsageError(`--${stray} is of no use without --controller ADDRESS:PORT`)
    return undefined
  }
  const { address: host, port } = endpoint('controller', controller)
  if (host === '' || port === 0) throw new UsageError(`--controller is "${controller}": it needs both host and port`)
  const ca = text('controller-ca')
  if (ca === undefined)
    throw new UsageError("--controller needs --controller-ca FILE, to know the controller's certificate")
  return { host, port, ca, name: text('controller-name') ?? host, proof: proofOf(text) }
}

function proofOf(text: (flag: string) => string | undefined): ControllerOptions['proof'] {
  const [tokenFile, certFile, keyFile] = [text('token-file'), text('tls-cert'), text('tls-key')]
  if (tokenFile !== undefined && (certFile ?? keyFile) !== undefined)
    throw new UsageError('--token-file and --tls-cert/--tls-key are two proofs of the node: give one')
  if (tokenFile !== undefined) return { tokenFile }
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile }
  if (certFile !== undefined) throw new UsageError('--tls-cert needs --tls-key FILE')
  if (keyFile !== undefined) throw new UsageError('--tls-key needs --tls-cert FILE')
  throw new UsageError('--controller needs --token-file FILE, or --tls-cert FILE and --tls-key FILE, to prove the node')
}
