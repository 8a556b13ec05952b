/**
 * What a change costs on a node, measured in the lab's guest. Usage: `--help`.
 * Ends with status 1 when an end state is not the plan's, or something was written that must not be.
 */
import { spawn } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { UsageError } from '../../flags/flags.ts'
import { bundle } from '../../hack/bundle/bundle.ts'
import { messageOf } from '../../log/log.ts'
import type { GuestRequest } from './guest.ts'
import { benchOptions, helpText, type BenchOptions } from './options.ts'
import { rowsOf, type Row } from './rows.ts'
import type { BenchEvent, Mistake, Sample } from './sample.ts'
import { phaseTable, table } from './table.ts'
import { verdictTable } from './targets.ts'
import { lacking } from './whole.ts'

const ROOT = join(import.meta.dirname, '..', '..')
/** Longest for everything. */
const QUICK_SECONDS = 600
/** For what is begun whatever it takes. */
const FIRST_SECONDS = 7200

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = benchOptions(args)
    if (options !== undefined) return await measure(options, args)
    process.stdout.write(helpText())
    return 0
  } catch (error) {
    process.stderr.write(`bench: ${messageOf(error)}\n`)
    return error instanceof UsageError ? 2 : 1
  }
}

async function measure(options: BenchOptions, args: readonly string[]): Promise<number> {
  const began = performance.now()
  const say = (text: string): void => {
    process.stderr.write(`[${((performance.now() - began) / 1000).toFixed(0).padStart(4)}s] ${text}\n`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'nodeleaf-bench-'))
  try {
    const load = loadavg()[0] ?? 0
    await prepare(options, folder)
    const samples: Sample[] = []
    const mistakes: Mistake[] = []
    let machine = machineText()
    let done = false
    const status = await guest(options, folder, (event) => {
      switch (event.event) {
        case 'kernel':
          machine += `, guest: Linux ${event.release}, FRR ${event.frr}`
          break
        case 'say':
          say(event.text)
          break
        case 'sample': {
          const { contestant, shape, name, n, value } = event.sample
          samples.push(event.sample)
          say(`  ${contestant} ${shape} ${name} ${n}: ${value.toPrecision(4)}`)
          break
        }
        case 'mistake':
          mistakes.push(event)
          say(`  does not hold: ${textOf(event)}`)
          break
        case 'done':
          done = true
      }
    })
    const rows = rowsOf(samples, mistakes)
    const wrong = [...new Set(mistakes.map(textOf)), ...(done ? lacking(rows, options) : [])]
    const head = `${machine}; load of the machine before: ${load.toFixed(1)}.`
    const tables = [table(rows), phaseTable(rows), verdictTable(rows)].filter((text) => text !== '')
    process.stdout.write(`${head}\n\n    ./hack/bench ${args.join(' ')}\n\n${tables.join('\n\n')}\n`)
    if (options.json !== undefined) writeFileSync(options.json, jsonText(rows))
    for (const text of wrong) process.stdout.write(`does not hold: ${text}\n`)
    if (!done)
      process.stdout.write(`does not hold: the guest ended before everything was measured (status ${status})\n`)
    return done && wrong.length === 0 ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The agent as images have it, beside its addon. */
async function prepare(options: BenchOptions, folder: string): Promise<void> {
  await bundle(ROOT, 'agent', folder)
  mkdirSync(join(folder, 'build'))
  copyFileSync(join(ROOT, 'build/netlink.node'), join(folder, 'build/netlink.node'))
  if (options.profile !== undefined) mkdirSync(join(folder, 'profile'))
  const request: GuestRequest = {
    options,
    program: '/out/nodeleaf-agent.mjs',
    ...(options.profile === undefined ? {} : { profile: '/out/profile' }),
  }
  writeFileSync(join(folder, 'request.json'), JSON.stringify(request))
}

/** Runs the guest to its end and hands over what it tells; its exit status. */
async function guest(options: BenchOptions, folder: string, take: (event: BenchEvent) => void): Promise<number> {
  const seconds = options.quick ? QUICK_SECONDS : options.minutes * 60 + FIRST_SECONDS
  const flags = ['--timeout', String(seconds), '--mem', '4G', '--out', folder]
  const child = spawn(
    join(ROOT, 'hack/guest'),
    [
      ...flags,
      '--',
      'node',
      '--disable-warning=ExperimentalWarning',
      '/nodeleaf/bench/node/guest.ts',
      '/out/request.json',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const interrupted = (): void => void child.kill('SIGTERM')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted)
  const ended = new Promise<number>((done) => child.once('exit', (code) => done(code ?? 1)))
  for await (const line of createInterface({ input: child.stdout })) {
    const event = parsed(line)
    if (event === undefined) process.stderr.write(`guest: ${line}\n`)
    else take(event)
  }
  const status = await ended
  if (options.profile !== undefined) cpSync(join(folder, 'profile'), resolve(options.profile), { recursive: true })
  return status
}

function parsed(line: string): BenchEvent | undefined {
  try {
    const value = JSON.parse(line) as BenchEvent
    return typeof value.event === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

function textOf({ name, n, shape, contestant, text }: Mistake): string {
  return `${name} ${n} ${shape} ${contestant}: ${text}`
}

function machineText(): string {
  return `${cpus().length} CPUs (${cpus()[0]?.model ?? ''}), Linux ${release()}, Node ${process.version}`
}

/** One row a line: a file that people compare. */
function jsonText(rows: readonly Row[]): string {
  return `[\n${rows.map((row) => `  ${JSON.stringify(row)}`).join(',\n')}\n]\n`
}
