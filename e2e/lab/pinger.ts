/** ping, once with a result and for a while with the loss counted. */
import { spawn, type ChildProcess } from 'node:child_process'
import { attempt } from './command.ts'

export interface PingOptions {
  /** @default 1 */
  readonly count?: number
  /** Seconds between two packets. @default 0.05 */
  readonly interval?: number
  /** Source address. */
  readonly from?: string
  /** Payload bytes; with it fragmentation is forbidden. */
  readonly size?: number
  /** Seconds to wait for the last answer. @default 1 */
  readonly wait?: number
  readonly ttl?: number
}

export interface PingResult {
  readonly sent: number
  readonly received: number
  /** What ping printed. */
  readonly text: string
}

export interface PingerResult extends PingResult {
  /** Packets without an answer; the very last one does not count when it was still under way. */
  readonly lost: number
  /** The longest time without an answer, from the sequence numbers that are missing. */
  readonly gapMs: number
}

/** A ping that goes on until `stop`. */
export interface Pinger {
  stop(): Promise<PingerResult>
}

function argv(namespace: string, address: string, options: PingOptions): string[] {
  return [
    'nsenter',
    `--net=/run/netns/${namespace}`,
    'ping',
    '-n',
    '-i',
    String(options.interval ?? 0.05),
    ...(options.count === undefined ? [] : ['-c', String(options.count), '-W', String(options.wait ?? 1)]),
    ...(options.from === undefined ? [] : ['-I', options.from]),
    ...(options.size === undefined ? [] : ['-M', 'do', '-s', String(options.size)]),
    ...(options.ttl === undefined ? [] : ['-t', String(options.ttl)]),
    address,
  ]
}

/** Sends `count` packets and counts the answers. */
export async function ping(namespace: string, address: string, options: PingOptions = {}): Promise<PingResult> {
  const outcome = await attempt(argv(namespace, address, { count: 1, ...options }))
  return summary(`${outcome.stdout}${outcome.stderr}`)
}

/** Starts a ping that goes on until it is stopped. */
export function startPinger(namespace: string, address: string, options: PingOptions = {}): Pinger {
  const [file = '', ...args] = argv(namespace, address, options)
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => (text += chunk))
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    async stop() {
      interrupt(child)
      await ended
      return losses(text, (options.interval ?? 0.05) * 1000)
    },
  }
}

/** SIGINT lets ping print its summary. */
function interrupt(child: ChildProcess): void {
  if (child.exitCode === null) child.kill('SIGINT')
}

function summary(text: string): PingResult {
  const counts = /(\d+) packets transmitted, (\d+) received/.exec(text)
  return { sent: Number(counts?.[1] ?? 0), received: Number(counts?.[2] ?? 0), text }
}

/** Loss by sequence number. Exported for its test. */
export function losses(text: string, intervalMs: number): PingerResult {
  const { sent, received } = summary(text)
  const answered = new Set([...text.matchAll(/icmp_seq=(\d+) (?:ttl|hop)/g)].map((match) => Number(match[1])))
  const missing: number[] = []
  for (let sequence = 1; sequence <= sent; sequence++) if (!answered.has(sequence)) missing.push(sequence)
  if (missing.at(-1) === sent && missing.at(-2) !== sent - 1) missing.pop()
  let longest = 0
  let run = 0
  for (const [at, sequence] of missing.entries()) {
    run = at > 0 && missing[at - 1] === sequence - 1 ? run + 1 : 1
    longest = Math.max(longest, run)
  }
  return { sent, received, text, lost: missing.length, gapMs: Math.round(longest * intervalMs) }
}
