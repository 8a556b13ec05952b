/**
 * The guest's side of the benchmark: runs one life after the other and tells what it measured, one JSON line an event.
 *
 *     node bench/node/guest.ts REQUEST
 *
 * REQUEST is a JSON file: a GuestRequest.
 */
import { promises, readFileSync, writeFileSync } from 'node:fs'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { release } from 'node:os'
import { plan } from '../../api/plan/plan.ts'
import { messageOf } from '../../log/log.ts'
import { memoryOf } from '../process/cost.ts'
import { command } from './command.ts'
import { LivingNode } from './life.ts'
import { livesOf, sizesOf, type Life } from './lives.ts'
import { calm } from './node.ts'
import type { BenchOptions } from './options.ts'
import type { BenchEvent, Name, Sample } from './sample.ts'
import { NODE, snapshot } from './workload.ts'

export interface GuestRequest {
  readonly options: BenchOptions
  /** The agent's bundle, as the guest sees it. */
  readonly program: string
  readonly profile?: string
}

/** What takes longer has three samples. */
const LONG_SECONDS = 30
/** To make a node and to take it away. */
const LIFE_SECONDS = 15
/** For the rows idle and memory. */
const WAITS = {
  quick: { idleSeconds: 5, restSeconds: 4 },
  usual: { idleSeconds: 60, restSeconds: 8 },
}

function tell(event: BenchEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

// libuv's threads inherit the namespace of whoever starts them: here, before anything enters another one.
await promises.stat('/')
// FRR prints it in its configuration, and does not take the `(none)` of a new kernel back.
writeFileSync('/proc/sys/kernel/hostname', NODE.name)
await main(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as GuestRequest)
// What was started and did not end must not keep the guest.
process.exit(0)

async function main({ options, program, profile }: GuestRequest): Promise<void> {
  const frr = await command(['/usr/lib/frr/zebra', '--version'])
  tell({ event: 'kernel', release: release(), frr: /version (\S+)/.exec(frr)?.[1] ?? '' })
  if (options.names.includes('plan')) for (const n of sizesOf('plan', options)) pure(n, options.samples)
  const waits = options.quick ? WAITS.quick : WAITS.usual
  /** Seconds. */
  const took = new Map<string, readonly number[]>()
  const lives = livesOf(options)
  if (options.contestants.includes('floor')) await bare(lives, options.samples)
  const end = performance.now() + options.minutes * 60_000
  for (const [at, life] of lives.entries()) {
    const key = keyOf(life)
    const last = took.get(key) ?? []
    if (life.round >= 3 && Math.max(...last) > LONG_SECONDS) continue
    const again = last.reduce((sum, each) => sum + each, LIFE_SECONDS)
    if (life.round > 0 && performance.now() + again * 1000 > end) {
      tell({ event: 'say', text: `${at + 1} of ${lives.length}: ${key}: left out, it would take too long` })
      continue
    }
    tell({ event: 'say', text: `${at + 1} of ${lives.length}: ${key}: ${life.names.join(' ')}` })
    const measured = new Set<Name>()
    try {
      const seconds = await LivingNode.run(
        life,
        { program, ...waits, ...(profile === undefined ? {} : { profile }) },
        (event) => {
          if (event.event === 'sample') measured.add(event.sample.name)
          tell(event)
        },
      )
      took.set(key, seconds)
    } catch (error) {
      const text = messageOf(error)
      tell({ event: 'say', text: `${key} ended early: ${text}` })
      const { contestant, shape, n, names } = life
      const [line = ''] = text.split('\n')
      for (const name of names)
        if (!measured.has(name)) tell({ event: 'mistake', name, n, shape, contestant, text: `not measured: ${line}` })
    }
  }
  tell({ event: 'done' })
}

function keyOf({ contestant, shape, n }: Life): string {
  return `${contestant}, ${shape}, ${n} VNIs`
}

/** Planning alone; the floor is to copy the plan when it is there. */
function pure(n: number, samples: number): void {
  const given = snapshot(n)
  for (let at = 0; at <= samples; at++) {
    const began = performance.now()
    const made = plan(given, NODE)
    const planned = performance.now()
    structuredClone(made)
    const row = { name: 'plan', n, shape: 'single' } as const
    // The first run compiles.
    if (at === 0) continue
    told({ ...row, contestant: 'ours', value: planned - began })
    told({ ...row, contestant: 'floor', value: performance.now() - planned })
  }
}

/** Floors of start and memory, wherever these are measured: Node.js that does nothing. */
async function bare(lives: readonly Life[], samples: number): Promise<void> {
  const wanted = lives.flatMap(({ names, shape, n, round }) =>
    (['start', 'memory'] as const)
      .filter((name) => round === 0 && names.includes(name))
      .map((name) => ({ name, shape, n })),
  )
  if (wanted.length === 0) return
  for (let at = 0; at < samples; at++) {
    await calm()
    const began = performance.now()
    spawnSync(process.execPath, ['-e', '0'])
    const value = { start: (performance.now() - began) / 1000, memory: await bareMemory() }
    for (const row of wanted) told({ ...row, contestant: 'floor', value: value[row.name] })
  }
}

async function bareMemory(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6); console.log()'])
  try {
    await once(child.stdout, 'data')
    return memoryOf(child.pid ?? 0).rss
  } finally {
    child.kill()
  }
}

function told(sample: Sample): void {
  tell({ event: 'sample', sample })
}
