/** Command line of the simulation. */
import { flagRows, integer, oneOf, parseFlags, UsageError, type Flags } from '../../flags/flags.ts'

export interface SimulationOptions {
  readonly agents: number
  readonly vnis: number
  readonly repeats: number
  readonly edits: number
  readonly crowds: number
  /** Agents stay this long in the phase in which they report without pause. */
  readonly chatterSeconds: number
  /** The longest wait for statuses to be written before the next phase. */
  readonly settleSeconds: number
  /** The program from its sources instead of the bundle. */
  readonly sources: boolean
  readonly phases: ReadonlySet<string>
  /** Directory for CPU profiles. */
  readonly profile?: string
  readonly json?: string
  readonly nodeFlags: readonly string[]
  /** Servers that do nothing instead of the controller. */
  readonly bare: boolean
  /** What is asserted then are counts, never times. */
  readonly quick: boolean
}

const PHASES = ['one', 'few', 'burst', 'chatter', 'restart'] as const

const FLAGS: Flags = {
  quick: { help: 'a small one that asserts counts and no times, for CI' },
  bare: { help: 'connections to servers that do nothing: the floor of memory' },
  agents: { value: 'N', help: 'nodes, each with an agent (default: 1000; with --quick 50)' },
  vnis: { value: 'N', help: 'VNIs on every node, a tenth of them L3VNIs (default: 2000; with --quick 50)' },
  repeats: { value: 'N', help: 'how often one VNI is added (default: 5; with --quick 1)' },
  edits: { value: 'N', help: 'edits of the burst (default: 1000; with --quick 40)' },
  crowds: { value: 'N', default: '2', help: 'processes that the agents share' },
  chatter: { value: 'SECONDS', help: 'how long agents report every few seconds (default: 20; with --quick 2)' },
  settle: { value: 'SECONDS', help: 'longest wait for statuses before the next phase (default: 60; with --quick 15)' },
  program: { value: 'FORM', default: 'bundle', help: 'bundle (as in images) or sources' },
  phases: { value: 'LIST', default: PHASES.join(), help: 'what is measured after the start, or none' },
  profile: { value: 'DIR', help: 'CPU profiles of controller and API server go there' },
  'node-flags': { value: 'FLAGS', help: 'more flags for the Node.js of the controller, separated by spaces' },
  json: { value: 'FILE', help: 'results as JSON' },
}

export const helpText = (): string =>
  [
    'control-plane: simulated agents against the real controller, over gRPC with TLS on loopback.',
    '',
    'Usage: hack/bench control-plane [--quick] [FLAGS]',
    '       hack/bench control-plane --bare [--agents N] [--node-flags FLAGS]',
    '',
    ...flagRows(FLAGS),
    '',
  ].join('\n')

/** undefined: help was asked for. @throws UsageError */
export function simulationOptions(args: readonly string[]): SimulationOptions | undefined {
  const { text, on, help } = parseFlags(FLAGS, args)
  if (help) return undefined
  const quick = on('quick')
  const number = (flag: string, usual: number, small: number, least = 1): number =>
    integer(flag, text(flag) ?? String(quick ? small : usual), least, 100_000)
  const program = oneOf('--program', text('program') ?? '', ['bundle', 'sources'] as const)
  const phases = (text('phases') ?? '').split(',')
  const unknown = phases.find((each) => each !== 'none' && !PHASES.some((phase) => phase === each))
  if (unknown !== undefined) throw new UsageError(`--phases knows ${PHASES.join(', ')} and none, not "${unknown}"`)
  const [profile, json] = [text('profile'), text('json')]
  return {
    // One change is for three nodes.
    agents: number('agents', 1000, 50, 3),
    vnis: number('vnis', 2000, 50),
    repeats: number('repeats', 5, 1),
    edits: number('edits', 1000, 40),
    crowds: number('crowds', 2, 2),
    chatterSeconds: number('chatter', 20, 2),
    settleSeconds: number('settle', 60, 15),
    phases: new Set(phases),
    sources: program === 'sources',
    nodeFlags: (text('node-flags') ?? '').split(' ').filter((each) => each !== ''),
    quick,
    bare: on('bare'),
    ...(profile === undefined ? {} : { profile }),
    ...(json === undefined ? {} : { json }),
  }
}
