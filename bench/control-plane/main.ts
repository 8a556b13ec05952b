/**
 * Simulated agents against the real controller: what a change costs, what a start and a restart cost. Usage: `--help`.
 * Ends with status 1 when something was sent that must not be, or was not that must.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { UsageError } from '../../flags/flags.ts'
import { messageOf } from '../../log/log.ts'
import { compareBare } from './bare.ts'
import { Cluster } from './cluster.ts'
import { Crowds } from './crowds.ts'
import { machine, table } from './measurement.ts'
import { helpText, simulationOptions, type SimulationOptions } from './options.ts'
import { Simulation } from './simulation.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = simulationOptions(args)
    if (options?.bare) {
      await compareBare(options.agents, options.nodeFlags)
      return 0
    }
    if (options !== undefined) return await simulate(options)
    process.stdout.write(helpText())
    return 0
  } catch (error) {
    process.stderr.write(`control-plane: ${messageOf(error)}\n`)
    return error instanceof UsageError ? 2 : 1
  }
}

async function simulate(options: SimulationOptions): Promise<number> {
  const began = performance.now()
  const say = (text: string): void => {
    process.stderr.write(`[${((performance.now() - began) / 1000).toFixed(0).padStart(4)}s] ${text}\n`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'nodeleaf-bench-'))
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true })
  const loadBefore = loadavg()[0] ?? 0
  await using stack = new AsyncDisposableStack()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stack.disposeAsync().finally(() => process.exit(1)))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const cluster = stack.use(await Cluster.start(options, folder))
  say(`a cluster of ${options.agents} nodes and ${options.vnis} VNIs`)
  const crowds = stack.use(new Crowds(options.crowds))
  const simulation = new Simulation(options, cluster, crowds, say)
  try {
    await simulation.run()
  } catch (error) {
    say(`the end of the controller's log:\n${cluster.controller.tail()}`)
    throw error
  } finally {
    const { measurements, mistakes } = simulation
    process.stdout.write(`${table(measurements)}\n`)
    const result = { machine: machine(), loadBefore, options, measurements, mistakes }
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`)
  }
  for (const mistake of simulation.mistakes) process.stdout.write(`does not hold: ${mistake}\n`)
  return simulation.mistakes.length === 0 ? 0 : 1
}
