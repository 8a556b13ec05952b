/** `nodeleaf validate`: what is wrong with resources, before anything runs them. */
import { parseArgs } from 'node:util'
import { formatProblem } from '../api/manifest/problem.ts'
import { review } from '../api/plan/review.ts'
import { snapshotOf } from '../api/snapshot/snapshot.ts'
import { CliError } from './cli-error.ts'
import { exitCodes, type Command } from './command.ts'
import { readResources } from './resources.ts'
import { formatViolation } from './violations.ts'

const help = `Usage: nodeleaf validate -f FILE|DIR|- [-f ...]

Checks resources: the schema, the rules between fields, and the rules across objects. Where RouterNodes are among them,
conflicts count where they meet on one of these nodes; where there are none, where they could meet on any node.
Errors and warnings name file, line, object, field, value and remedy.

  -f, --filename FILE  a file, a directory (*.yaml, *.yml and *.json in it), or - for standard input; may be repeated
  -h, --help           show this text

${exitCodes}
Warnings (what waits for another object, what is passed over) do not count.`

export const validate: Command = {
  name: 'validate',
  summary: 'check resources in files',
  help,
  run: (args, output) => {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { filename: { type: 'string', short: 'f', multiple: true } },
      allowPositionals: true,
    })
    const sources = [...(values.filename ?? []), ...positionals]
    if (sources.length === 0) throw new CliError('USAGE', 'nothing to check: give files or directories with -f')
    const { documents, problems, warnings } = readResources(sources)
    const violations = review(snapshotOf(documents.map((each) => each.object)))
    const errors = [
      ...problems.map(formatProblem),
      ...violations.filter((each) => !each.pending).map((each) => formatViolation(each, documents)),
    ]
    const cautions = [
      ...warnings.map(formatProblem),
      ...violations.filter((each) => each.pending).map((each) => formatViolation(each, documents)),
    ]
    for (const each of errors) output.complain(`error: ${each}`)
    for (const each of cautions) output.complain(`warning: ${each}`)
    const empty = documents.length === 0 && errors.length === 0
    if (empty) output.complain('warning: there are no resources in these files')
    const counts = [counted(documents.length, 'good object'), counted(errors.length, 'error')]
    output.print([...counts, counted(cautions.length + (empty ? 1 : 0), 'warning')].join(', '))
    return errors.length > 0 ? 1 : 0
  },
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
