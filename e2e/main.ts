/**
 * The runner's side on the machine: starts guests, divides the scenarios among them, prints one TAP.
 *
 *     ./hack/e2e [--list | --help] [--datapath single|per-vni|both] [NAME...]
 *
 * Each scenario is run in each shape of the nodes' datapath. The programs are bundled first, as they ship. A guest
 * that dies or falls silent is replaced; the job it was at has failed.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { messageOf } from '../log/log.ts'
import type { GuestEvent, ScenarioResult } from './event.ts'
import { helpText, parseArguments } from './arguments.ts'
import { jobsOf } from './job.ts'
import { bundlePrograms } from './programs.ts'
import { allScenarios, patienceSeconds, type Scenario } from './scenario.ts'
import { plan, point } from './tap.ts'

/** A guest that says nothing for this long beyond what a scenario may take is stuck. */
const SILENCE_SECONDS = 90
const GUEST_SECONDS = 4000
/** A guest has one processor, and waits for timers of protocols half of its time: one more than there are processors. */
const MAX_GUESTS = 3
const GUEST_PROGRAM = join(import.meta.dirname, '..', 'hack', 'guest')

interface Run {
  readonly folder: string
  readonly names: readonly string[]
  readonly memoryGiB: number
  readonly silenceSeconds: number
  readonly waiting: Set<string>
  /** Guests that may still be started in place of lost ones. */
  spare: number
  failed: number
  printed: number
}

async function main(words: readonly string[]): Promise<number> {
  const { help, list, shapes, names: wanted } = parseArguments(words)
  if (help) {
    print(helpText)
    return 0
  }
  const all = await allScenarios()
  if (list) {
    const width = Math.max(...all.map(({ name }) => name.length))
    for (const each of all) print(`${each.name.padEnd(width)}  ${summaryOf(each)}`)
    return 0
  }
  const unknown = wanted.filter((name) => !all.some((each) => each.name === name))
  if (unknown.length > 0) {
    const there = all.map(({ name }) => name).join(' ')
    process.stderr.write(`no scenario ${unknown.join(', ')}; there are: ${there}\n`)
    return 2
  }
  const chosen = all.filter(({ name, onlyByName }) =>
    wanted.length > 0 ? wanted.includes(name) : onlyByName === undefined,
  )
  const names = jobsOf(chosen, shapes).map(({ name }) => name)
  if (names.length === 0) {
    process.stderr.write(`${wanted.join(', ')}: not made for the datapath ${shapes.join(', ')}\n`)
    return 2
  }
  const memoryGiB = Math.max(...chosen.map((each) => each.memoryGiB ?? 2))
  const silenceSeconds = Math.max(...chosen.map(patienceSeconds)) + SILENCE_SECONDS
  const folder = await mkdtemp(join(tmpdir(), 'nodeleaf-e2e-'))
  await bundlePrograms(join(folder, 'programs'))
  const run: Run = {
    folder,
    names,
    memoryGiB,
    silenceSeconds,
    waiting: new Set(names),
    spare: 3,
    failed: 0,
    printed: 0,
  }
  print(plan(names.length))
  try {
    const guests = Math.min(MAX_GUESTS, availableParallelism() + 1, names.length)
    await Promise.all(Array.from({ length: guests }, (_, at) => guest(run, at + 1)))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  for (const name of run.waiting) finish(run, lost(name, 'no guest was left to run it'))
  return run.failed > 0 ? 1 : 0
}

/** One guest from start to end, and another in its place when it is lost. */
async function guest(run: Run, number: number): Promise<void> {
  let at: string | undefined
  let readied = false
  const args = [
    '--out',
    run.folder,
    '--timeout',
    String(GUEST_SECONDS),
    '--mem',
    `${run.memoryGiB}G`,
    'node',
    '/nodeleaf/e2e/run.ts',
    '/out',
    ...run.names,
  ]
  const env = { ...process.env, NODELEAF_PROGRAMS: '/out/programs' }
  const child = spawn(GUEST_PROGRAM, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
  const stuck = () => {
    process.stderr.write(`# guest ${number}: silent for ${run.silenceSeconds} s, ended\n`)
    child.kill('SIGTERM')
  }
  let silence = setTimeout(stuck, run.silenceSeconds * 1000)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  for await (const line of createInterface({ input: child.stdout })) {
    clearTimeout(silence)
    silence = setTimeout(stuck, run.silenceSeconds * 1000)
    const event = parsed(line)
    if (event === undefined) process.stderr.write(`# guest ${number}: ${line}\n`)
    else if (event.event === 'ready') {
      readied = true
      process.stderr.write(`# guest ${number}: the fabric is up after ${event.seconds.toFixed(1)} s\n`)
    } else if (event.event === 'begin') {
      at = event.name
      if (process.env['NODELEAF_TIMES'] !== undefined) {
        process.stderr.write(`# guest ${number}: ${at} after ${event.idleSeconds.toFixed(1)} s of tidying up\n`)
      }
    } else if (event.event === 'unclean') {
      const left = event.left.slice(0, 20).map((what) => `#   ${what}\n`)
      process.stderr.write(`# ${event.name} left something behind, the fabric is built new:\n${left.join('')}`)
    } else {
      at = undefined
      finish(run, event)
    }
  }
  clearTimeout(silence)
  await ended
  if (at !== undefined) finish(run, lost(at, 'the guest ended while it ran this scenario'))
  if (run.waiting.size === 0 || run.spare === 0) return
  // Others may still be at work on what waits; a guest that found nothing to claim just ends.
  if (at !== undefined || !readied) {
    run.spare--
    process.stderr.write(`# guest ${number}: lost, another takes its place\n`)
    await guest(run, number)
  }
}

function finish(run: Run, result: ScenarioResult): void {
  if (!run.waiting.delete(result.name)) return
  if (!result.ok) run.failed++
  print(point(++run.printed, result))
}

function lost(name: string, message: string): ScenarioResult {
  return { event: 'result', name, ok: false, seconds: 0, notes: [], step: 'guest', message, diagnostics: '' }
}

function parsed(line: string): GuestEvent | undefined {
  try {
    const value = JSON.parse(line) as GuestEvent
    return typeof value.event === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function summaryOf({ summary, onlyByName, datapaths }: Scenario): string {
  const only = onlyByName === undefined ? '' : ` (only by name: ${onlyByName})`
  return `${summary}${typeof datapaths === 'object' ? ` (${datapaths.join(', ')})` : ''}${only}`
}

process.exit(
  await main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`e2e: ${messageOf(error)}\n`)
    return 2
  }),
)
