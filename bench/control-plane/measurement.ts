/** What a phase of the simulation came to, and how it is shown. */
import { cpus, release } from 'node:os'
import type { Requests } from './cluster.ts'

export interface Measurement {
  readonly phase: string
  readonly seconds: number
  /** From the change to the acknowledgement of each agent it is for, in milliseconds. */
  readonly latency?: { readonly p50: number; readonly p99: number; readonly max: number; readonly agents: number }
  /** What came to the agents. */
  readonly plans: number
  readonly agentsTold: number
  readonly mostPlans: number
  readonly pieces: number
  readonly bytes: number
  /** Of the controller, MiB and seconds. */
  readonly rss: number
  readonly peak: number
  /** What Node.js says of it: used by JavaScript, garbage included; reserved for that; in buffers outside. */
  readonly heap: number
  readonly committed: number
  readonly external: number
  readonly cpu: number
  /** The longest that its event loop was kept, in milliseconds: as Node.js says, so 10 at the least. */
  readonly stallMs: number
  readonly requests: Requests
  readonly writesPerSecond: number
  /** The busiest second would say more, but this is what the token buckets bound. */
  readonly load: number
  readonly note?: string
}

const WRITES = /^(create|update|patch|delete) (?!tokenreviews)/

export const sumOf = (requests: Requests): number => Object.values(requests).reduce((sum, each) => sum + each, 0)

export const writesOf = (requests: Requests): number =>
  Object.entries(requests).reduce((sum, [what, count]) => sum + (WRITES.test(what) ? count : 0), 0)

/** Of milliseconds, in any order. */
export function latencyOf(times: readonly number[]): NonNullable<Measurement['latency']> {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? NaN)
  return { p50: at(0.5), p99: at(0.99), max: at(1), agents: sorted.length }
}

export const machine = () => ({
  cpus: cpus().length,
  model: cpus()[0]?.model ?? '',
  kernel: release(),
  node: process.version,
})

const COLUMNS: readonly (readonly [string, (of: Measurement) => string])[] = [
  ['phase', ({ phase }) => phase],
  ['s', ({ seconds }) => seconds.toFixed(1)],
  ['p50 ms', ({ latency }) => text(latency?.p50)],
  ['p99 ms', ({ latency }) => text(latency?.p99)],
  ['max ms', ({ latency }) => text(latency?.max)],
  ['plans', ({ plans }) => text(plans)],
  ['agents', ({ agentsTold }) => text(agentsTold)],
  ['most', ({ mostPlans }) => text(mostPlans)],
  ['KiB sent', ({ bytes }) => (bytes / 1024).toFixed(0)],
  ['RSS MiB', ({ rss }) => rss.toFixed(0)],
  ['peak', ({ peak }) => peak.toFixed(0)],
  ['CPU s', ({ cpu }) => cpu.toFixed(1)],
  ['stall ms', ({ stallMs }) => stallMs.toFixed(0)],
  ['requests', ({ requests }) => text(sumOf(requests))],
  ['writes/s', ({ writesPerSecond }) => writesPerSecond.toFixed(0)],
  ['load', ({ load }) => load.toFixed(1)],
  ['', ({ note }) => note ?? ''],
]

/** A table in Markdown, columns aligned. */
export function table(measurements: readonly Measurement[]): string {
  const rows = [COLUMNS.map(([title]) => title), ...measurements.map((each) => COLUMNS.map(([, show]) => show(each)))]
  const widths = COLUMNS.map((_, at) => Math.max(3, ...rows.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (at === 0 || at === row.length - 1 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`
  const rule = `| ${widths.map((width, at) => (at === 0 || at === widths.length - 1 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  const [head = [], ...body] = rows
  return [line(head), rule, ...body.map(line)].join('\n')
}

const text = (value: number | undefined): string => (value === undefined ? '' : String(value))
