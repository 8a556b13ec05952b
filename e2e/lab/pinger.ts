/** ping, once with a result and for a while with the loss counted. */
import { spawn, type ChildProcess } from 'node:child_process'
import { attempt } from './command.ts'
import { eventually } from './eventually.ts'

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
  /** Packets without an answer; those that were still under way do not count. */
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
      const judged = await answeredUntil(child, () => text)
      interrupt(child)
      await ended
      return losses(text, (options.interval ?? 0.05) * 1000, judged)
    },
  }
}

/**
 * Asks how many packets were sent until now (ping says it on SIGQUIT), and waits until all of them had the time to be
 * answered: on a busy machine several are under way at any moment. Undefined when it does not say.
 */
async function answeredUntil(child: ChildProcess, text: () => string): Promise<number | undefined> {
  const soon = (what: string, holds: () => boolean): Promise<unknown> =>
    eventually(what, () => child.exitCode !== null || holds(), { timeoutMs: 5000, everyMs: 10 }).catch(() => undefined)
  // Before its first answer it may not listen to signals yet.
  if (child.exitCode !== null || !ANSWER.test(text())) return undefined
  child.kill('SIGQUIT')
  await soon('ping says how many it has sent', () => sentUntilNow(text()) !== undefined)
  const sent = sentUntilNow(text())
  if (sent === undefined) return undefined
  await soon('they are answered', () => [...text().matchAll(ANSWERS)].some(([, sequence]) => Number(sequence) >= sent))
  return sent
}

const ANSWER = /icmp_seq=(\d+) (?:ttl|hop)/
const ANSWERS = new RegExp(ANSWER, 'g')

/** `7/7 packets, 0% loss`: received and sent. */
function sentUntilNow(text: string): number | undefined {
  const sent = /\d+\/(\d+) packets, /.exec(text)?.[1]
  return sent === undefined ? undefined : Number(sent)
}

/** SIGINT lets ping print its summary. */
function interrupt(child: ChildProcess): void {
  if (child.exitCode === null) child.kill('SIGINT')
}

function summary(text: string): PingResult {
  const counts = /(\d+) packets transmitted, (\d+) received/.exec(text)
  return { sent: Number(counts?.[1] ?? 0), received: Number(counts?.[2] ?? 0), text }
}

/** Loss by sequence number, of all that were sent or only of the first `judged`. Exported for its test. */
export function losses(text: string, intervalMs: number, judged = Infinity): PingerResult {
  const { sent: all, received } = summary(text)
  const sent = Math.min(all, judged)
  const answered = new Set([...text.matchAll(ANSWERS)].map((match) => Number(match[1])))
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
