/** `nodeleaf status`: asks the agent on this node. */
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { StatusDocument } from '../agent/status/document.ts'
import { CliError } from './cli-error.ts'
import type { Command } from './command.ts'
import { statusText } from './status-text.ts'

const RUN_DIR = '/run/nodeleaf'
const WATCH_MS = 2000
/** An agent at work on thousands of networks takes seconds to answer; one that takes this long does not answer. */
const ANSWER_MS = 30_000
const CLEAR = '\u001B[2J\u001B[H'

export const status: Command = {
  name: 'status',
  summary: 'what the agent on this node has applied, and what is wrong',
  help: `Usage: nodeleaf status [options]

Asks the agent on this node: plan, resources, BGP sessions, VNIs, addresses.

      --run-dir DIR    where the agent's socket is (default: ${RUN_DIR})
  -o, --output FORMAT  text (default) or json
      --watch          again every ${WATCH_MS / 1000} seconds, until interrupted
  -h, --help           show this text

Exit codes:
  0  everything is in place; a BGP session that is down, or a controller that is away, does not count
  1  something failed, waits, is refused, FRR does not answer, or the controller refuses the agent
  2  the command was not understood, or no agent answers`,
  run: async (args, output) => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        'run-dir': { type: 'string', default: RUN_DIR },
        output: { type: 'string', short: 'o', default: 'text' },
        watch: { type: 'boolean', default: false },
      },
    })
    if (values.output !== 'text' && values.output !== 'json') {
      throw new CliError('USAGE', `--output ${values.output} is not known: use text or json`)
    }
    const shown = (document: StatusDocument): string =>
      values.output === 'json' ? JSON.stringify(document, undefined, 2) : statusText(document)
    for (;;) {
      const document = await askAgent(join(values['run-dir'], 'agent.sock'))
      output.print(values.watch && values.output === 'text' ? CLEAR + shown(document) : shown(document))
      if (!values.watch) return isWell(document) ? 0 : 1
      await sleep(WATCH_MS)
    }
  },
}

/** Everything that is wanted is in place, and all that the files say is wanted. */
function isWell({ resources, refused, problems, problem, frr, revision, controller }: StatusDocument): boolean {
  const ready = resources.every(({ state }) => state === 'Ready')
  const quiet = refused.length === 0 && problems.length === 0 && problem === undefined
  return (
    ready && quiet && controller?.state !== 'refused' && frr.state === 'connected' && revision.desired !== undefined
  )
}

/** @throws CliError when no agent answers there */
export function askAgent(socketPath: string, answerMs = ANSWER_MS): Promise<StatusDocument> {
  const { promise, resolve, reject } = Promise.withResolvers<StatusDocument>()
  const fail = (cause: Error): void => {
    const remedy = 'is nodeleaf-agent running here, with this --run-dir, and are you root?'
    reject(new CliError('FILE', `no agent answers on ${socketPath} (${cause.message}): ${remedy}`, { cause }))
  }
  const asked = request({ socketPath, path: '/status', timeout: answerMs }, (response) => {
    let body = ''
    response.setEncoding('utf8')
    response.on('data', (part: string) => {
      body += part
    })
    response.on('error', fail)
    response.on('end', () => {
      if (response.statusCode === 200) resolve(JSON.parse(body) as StatusDocument)
      else fail(new Error(`it answered ${response.statusCode}: ${body.trim()}`))
    })
  })
  asked.on('timeout', () => asked.destroy(new Error(`nothing for ${answerMs / 1000} s`)))
  asked.on('error', fail).end()
  return promise
}
