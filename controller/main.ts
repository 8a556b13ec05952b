/** `nodeleaf-controller`: reads the command line and runs the controller, or issues a certificate. */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { failureExit, programLog, stopOnSignals, usageExit } from '../flags/program.ts'
import { messageOf } from '../log/log.ts'
import manifest from '../package.json' with { type: 'json' }
import { runController } from './controller.ts'
import { helpText, parseCommand, type Command, type ControllerOptions, type IssueOptions } from './options.ts'
import { issueAgentCertificate } from './tls/agent-certificate.ts'

/** What every Pod with a ServiceAccount has. */
const IN_CLUSTER = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/** After SIGTERM, whatever hangs. Kubernetes gives 30 seconds. */
const STOP_WITHIN_MS = 15_000

const DAY_MS = 86_400_000

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let command: Command
  try {
    command = parseCommand(args, { env: process.env, hostName: hostname(), inCluster: existsSync(IN_CLUSTER) })
  } catch (error) {
    return usageExit('nodeleaf-controller', error)
  }
  switch (command.type) {
    case 'help':
      process.stdout.write(helpText())
      return 0
    case 'version':
      process.stdout.write(`nodeleaf-controller ${manifest.version}\n`)
      return 0
    case 'issue':
      return issue(command.options)
    case 'run':
      return run(command.options)
  }
}

async function run(options: ControllerOptions): Promise<number> {
  const log = programLog(options)
  const stop = stopOnSignals()
  stop.signal.addEventListener('abort', () => {
    setTimeout(() => {
      log.warn('something would not stop in time; left behind')
      process.exit(0)
    }, STOP_WITHIN_MS).unref()
  })
  try {
    await runController(options, log, stop.signal)
    return 0
  } catch (error) {
    return stop.signal.aborted ? 0 : failureExit(log, 'the controller cannot run', error)
  }
}

async function issue({ stateDir, node, out, days }: IssueOptions): Promise<number> {
  try {
    const request = { node, stateDirectory: stateDir, outDirectory: out, nowMs: Date.now() }
    const made = await issueAgentCertificate({ ...request, ...(days === undefined ? {} : { lifeMs: days * DAY_MS }) })
    process.stdout.write(
      `for the agent of ${node}, until ${made.expires.toISOString()}:\n` +
        `  --tls-cert ${made.cert} --tls-key ${made.key} --controller-ca ${made.ca}\n`,
    )
    return 0
  } catch (error) {
    process.stderr.write(`nodeleaf-controller: ${messageOf(error)}\n`)
    return 1
  }
}
