/** `nodeleaf-agent`: reads the command line and runs the agent, or undoes it. */
import { promises } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import manifest from '../package.json' with { type: 'json' }
import { runAgent } from './agent.ts'
import { failureExit, programLog, stopOnSignals, usageExit } from '../flags/program.ts'
import { helpText, parseOptions, type AgentOptions } from './options.ts'
import { uninstall } from './uninstall.ts'

// The part of the heap for young objects stays at its first size. Left alone it grows with the first large plan to many
// times that, and does not give it back.
setFlagsFromString('--semi-space-growth-factor=1')

// libuv's threads inherit the namespace of whoever starts them: start them here, in the host's, before any setns.
await promises.stat('/')
process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let options: AgentOptions
  try {
    options = parseOptions(args)
  } catch (error) {
    return usageExit('nodeleaf-agent', error)
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
  const log = programLog(options)
  const stop = stopOnSignals()
  try {
    if (options.command === 'uninstall') return (await uninstall(options, log)) ? 0 : 1
    await runAgent(options, log, stop)
    return 0
  } catch (error) {
    return failureExit(log, `${options.command} failed`, error)
  }
}
