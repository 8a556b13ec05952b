/** Command line of the node's benchmark. */
import { flagRows, integer, oneOf, parseFlags, UsageError, type Flags } from '../../flags/flags.ts'
import { CONTESTANTS, NAMES, SHAPES, type Contestant, type Name, type Shape } from './sample.ts'

export interface BenchOptions {
  readonly quick: boolean
  /** Also what takes many minutes: a bridge and a VXLAN device for each of a thousand VNIs and more, three times. */
  readonly long: boolean
  readonly names: readonly Name[]
  readonly shapes: readonly Shape[]
  readonly contestants: readonly Contestant[]
  /** Most samples of a row; what takes over half a minute has three. */
  readonly samples: number
  /** No further sample is begun that would not end within so many; every row has one, whatever it takes. */
  readonly minutes: number
  /** Numbers of VNIs instead of each row's own. */
  readonly sizes?: readonly number[]
  /** File, on this machine. */
  readonly json?: string
  /** Directory for CPU profiles of the agent. */
  readonly profile?: string
}

const FLAGS: Flags = {
  quick: { help: '50 VNIs, one sample, no waiting: shows that everything works and asserts no times' },
  long: { help: 'also 1,000 and 2,000 VNIs with a bridge each, and the baseline at 2,000' },
  filter: { value: 'NAME', help: `rows whose name contains it, or a list of such: ${NAMES.join(' ')}` },
  samples: { value: 'N', help: 'most samples of a row (default: 5; with --quick 1)' },
  minutes: { value: 'N', help: 'no second and further sample that would take longer (default: 60; with --long 240)' },
  sizes: { value: 'LIST', help: "numbers of VNIs, instead of each row's own" },
  shapes: { value: 'LIST', default: SHAPES.join(), help: 'shapes of the datapath' },
  only: { value: 'LIST', default: CONTESTANTS.join(), help: 'who is measured' },
  json: { value: 'FILE', help: 'rows as JSON' },
  profile: {
    value: 'DIR',
    help: "CPU profiles of the agent go there, one a start; open them in Chrome's developer tools",
  },
}

export const helpText = (): string =>
  [
    'bench: what a change costs on a node: the real agent, the real FRR and the kernel of the lab, against what others do',
    'and against the least it can cost. bench/node/README.md says how, docs/performance.md what came of it.',
    '',
    'Usage: hack/bench [--quick] [--filter NAME] [--json FILE] [FLAGS]',
    '       hack/bench control-plane --help',
    '',
    ...flagRows(FLAGS),
    '',
  ].join('\n')

/** undefined: help was asked for. @throws UsageError */
export function benchOptions(args: readonly string[]): BenchOptions | undefined {
  const { text, on, help } = parseFlags(FLAGS, args)
  if (help) return undefined
  const [quick, long] = [on('quick'), on('long')]
  const list = (flag: string): string[] => (text(flag) ?? '').split(',').filter((each) => each !== '')
  const wanted = list('filter')
  const names = NAMES.filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  const stray = wanted.find((part) => !NAMES.some((name) => name.includes(part)))
  if (stray !== undefined) throw new UsageError(`--filter is "${stray}", but there is only ${NAMES.join(', ')}`)
  const [samples, json, profile] = [text('samples'), text('json'), text('profile')]
  const sizes = list('sizes').map((each) => integer('sizes', each, 10, 4000))
  return {
    quick,
    long,
    names,
    minutes: integer('minutes', text('minutes') ?? (long ? '240' : '60'), 1, 10_000),
    shapes: list('shapes').map((each) => oneOf('--shapes', each, SHAPES)),
    contestants: list('only').map((each) => oneOf('--only', each, CONTESTANTS)),
    samples: samples === undefined ? (quick ? 1 : 5) : integer('samples', samples, 1, 100),
    ...(sizes.length === 0 ? {} : { sizes }),
    ...(json === undefined ? {} : { json }),
    ...(profile === undefined ? {} : { profile }),
  }
}
