/** `nodeleaf plan`: what one node would get, and what the agent would make of it. Changes nothing. */
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { desired as desiredFrr } from '../agent/frr/desired.ts'
import { format } from '../agent/frr/text.ts'
import { desired as desiredKernel } from '../agent/kernel/desired.ts'
import type { MachineFacts } from '../agent/kernel/objects.ts'
import { formatProblem } from '../api/manifest/problem.ts'
import type { NodePlan } from '../api/plan/node-plan.ts'
import { plan as planNode } from '../api/plan/plan.ts'
import { redacted } from '../api/plan/redacted.ts'
import { revisionOf } from '../api/plan/revision.ts'
import { snapshotOf } from '../api/snapshot/snapshot.ts'
import { CliError } from './cli-error.ts'
import { exitCodes, type Command } from './command.ts'
import { nodeFacts } from './node-facts.ts'
import { readResources } from './resources.ts'
import { formatViolation } from './violations.ts'

const help = `Usage: nodeleaf plan -f FILE|DIR|- [-f ...] --node NAME [options]

Prints what the node would get, as YAML: its own numbers filled in, conflicts decided. Passwords are not shown.
What is refused goes to standard error with its reason; everything else is in the plan.

  -f, --filename FILE  resources: a file, a directory, or - for standard input; may be repeated
      --node NAME      the node
      --index N        its index, from 0; default: from the node file, or from the RouterNode of that name
      --node-file FILE YAML with name, index and labels, as the agent takes it
      --kernel         the links, addresses, routes and sysctls that the agent would make
      --datapath SHAPE single (default) or per-vni, for --kernel: how VNIs are laid out
      --frr            the configuration that the agent would give to FRR
      --mtu NIC=N      MTU of a NIC of the node, for --kernel; may be repeated; default 1500
  -o, --output FORMAT  yaml (default) or json; json holds plan, revision, refused, problems, kernel and frr
  -h, --help           show this text

${exitCodes}`

export const plan: Command = {
  name: 'plan',
  summary: 'print what a node would get',
  help,
  run: (args, output) => {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        filename: { type: 'string', short: 'f', multiple: true },
        node: { type: 'string' },
        index: { type: 'string' },
        'node-file': { type: 'string' },
        kernel: { type: 'boolean' },
        frr: { type: 'boolean' },
        datapath: { type: 'string', default: 'single' },
        mtu: { type: 'string', multiple: true },
        output: { type: 'string', short: 'o', default: 'yaml' },
      },
      allowPositionals: true,
    })
    const sources = [...(values.filename ?? []), ...positionals]
    if (sources.length === 0) throw new CliError('USAGE', 'nothing to plan from: give files or directories with -f')
    if (values.output !== 'yaml' && values.output !== 'json')
      throw new CliError('USAGE', `-o ${values.output} is not one of yaml and json`)
    const shape = values.datapath
    if (shape !== 'single' && shape !== 'per-vni')
      throw new CliError('USAGE', `--datapath ${shape} is not one of single and per-vni`)
    const nicMTU = mtuFlags(values.mtu ?? [])
    const { documents, problems, warnings } = readResources(sources)
    const snapshot = snapshotOf(documents.map((each) => each.object))
    const planned = planNode(snapshot, nodeFacts(values, snapshot))
    const shownPlan = redacted(planned.plan)
    const kernel = (): unknown =>
      desiredKernel(shownPlan, {
        nics: nicsOf(shownPlan, nicMTU),
        datapath: shape === 'single' ? { shape, places: new Map() } : { shape },
      })
    const frr = (): string => format(desiredFrr(shownPlan))

    for (const each of problems) output.complain(`error: ${formatProblem(each)}`)
    for (const each of warnings) output.complain(`warning: ${formatProblem(each)}`)
    for (const each of planned.refused)
      output.complain(`${each.partial ? 'left out' : 'refused'}: ${formatViolation(each, documents)}`)

    if (values.output === 'json') {
      const { refused } = planned
      const all = {
        revision: revisionOf(planned.plan),
        plan: shownPlan,
        refused,
        problems,
        kernel: kernel(),
        frr: frr(),
      }
      output.print(JSON.stringify(all, null, 2))
    } else {
      if (!values.kernel && !values.frr) output.print(yaml(shownPlan))
      if (values.kernel) output.print(yaml(kernel()))
      if (values.frr) output.print(frr().trimEnd())
    }
    return problems.length + planned.refused.length > 0 ? 1 : 0
  },
}

const yaml = (value: unknown): string => stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 }).trimEnd()

/** The NICs as a fresh machine has them: no address that is worth keeping, and 1500 bytes unless told otherwise. */
function nicsOf(nodePlan: NodePlan, mtu: Readonly<Record<string, number>>): MachineFacts['nics'] {
  const nics = nodePlan.router?.interfaces ?? []
  return Object.fromEntries(nics.map((nic) => [nic, { mtu: mtu[nic] ?? 1500, addresses: [], routes: [] }]))
}

function mtuFlags(flags: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    flags.map((flag) => {
      const match = /^([^=]+)=([0-9]{1,5})$/.exec(flag)
      if (!match?.[1]) throw new CliError('USAGE', `--mtu ${flag} is not NIC=N, such as eth1=9000`)
      return [match[1], Number(match[2])]
    }),
  )
}
