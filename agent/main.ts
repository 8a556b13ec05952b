/** `nodeleaf-agent`: reads the command line and runs the agent, or undoes it. */
import { promises } from 'node:fs'
import manifest from '../package.json' with { type: 'json' }
import { runAgent } from './agent.ts'
import { createLog, type Log } from '../log/log.ts'
import { UsageError } from '../flags/flags.ts'
import { helpText, parseOptions, type AgentOptions } from './options.ts'
import { uninstall } from './uninstall.ts'

// libuv's threads inherit the namespace of whoever starts them: start them here, in the host's, before any setns.
await promises.stat('/')
process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let options: AgentOptions
  try {
    options = parseOptions(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`nodeleaf-agent: ${error.message}\nTry "nodeleaf-agent --help".\n`)
    return 2
  }
  switch (options.command) {
    case 'help':
      process.stdout.write(helpText())
      return 0
    case 'version':
      process.stdout.write(`nodeleaf-agent ${manifest.version}\n`)
      return 0
    case 'run':
    case 'uninstall':
      return work(options)
  }
}

async function work(options: AgentOptions): Promise<number> {
  const log = createLog({
    level: options.logLevel,
    format: options.logFormat,
    now: () => new Date(),
    write: (line) => process.stderr.write(`${line}\n`),
  })
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort())
  try {
    if (options.command === 'uninstall') return (await uninstall(options, log)) ? 0 : 1
    await runAgent(options, log, stop)
    return 0
  } catch (error) {
    return failed(log, options, error)
  }
}

function failed(log: Log, options: AgentOptions, error: unknown): number {
  log.error(`${options.command} failed`, { error })
  if (error instanceof Error && !('code' in error)) log.debug('stack', { stack: error.stack })
  return 1
}
