/** `nodeleaf status`: asks the agent on this node. */
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { StatusDocument } from '../agent/status/document.ts'
import { CliError } from './cli-error.ts'
import { exitCodes, type Command } from './command.ts'
import { statusText } from './status-text.ts'

const RUN_DIR = '/run/nodeleaf'
const WATCH_MS = 2000
const CLEAR = '\u001B[2J\u001B[H'

export const status: Command = {
  name: 'status',
  summary: 'what the agent on this node has applied, and what is wrong',
  help: `Usage: nodeleaf status [options]

Asks the agent on this node: plan, resources, BGP sessions, VNIs, addresses.

  --run-dir DIR  where the agent's socket is (default: ${RUN_DIR})
  -o, --output FORMAT  text or json (default: text)
  --watch        again every ${WATCH_MS / 1000} seconds, until interrupted

${exitCodes}`,
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
function isWell({ resources, refused, problems, problem, frr, revision }: StatusDocument): boolean {
  const ready = resources.every(({ state }) => state === 'Ready')
  const quiet = refused.length === 0 && problems.length === 0 && problem === undefined
  return ready && quiet && frr.state === 'connected' && revision.desired !== undefined
}

/** @throws CliError when no agent answers there */
export function askAgent(socketPath: string): Promise<StatusDocument> {
  const { promise, resolve, reject } = Promise.withResolvers<StatusDocument>()
  const fail = (cause: Error): void => {
    const remedy = 'is nodeleaf-agent running here, with this --run-dir, and are you root?'
    reject(new CliError('FILE', `no agent answers on ${socketPath} (${cause.message}): ${remedy}`, { cause }))
  }
  request({ socketPath, path: '/status' }, (response) => {
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
    .on('error', fail)
    .end()
  return promise
}
