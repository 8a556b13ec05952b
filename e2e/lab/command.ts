/** Runs programs. Everything the lab starts and waits for goes through here, so every wait is bounded. */
import { execFile } from 'node:child_process'

export interface Outcome {
  readonly argv: readonly string[]
  /** Exit status; 124 when it took too long, 128 when a signal ended it. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string
  /** @default 60000 */
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
}

/** A program that failed; the message has its command line and what it said. */
export class CommandError extends Error {
  readonly code = 'COMMAND'
  readonly outcome: Outcome

  constructor(outcome: Outcome) {
    const said = `${outcome.stderr}${outcome.stdout}`.trim()
    super(`"${outcome.argv.join(' ')}" ended with status ${outcome.status}${said === '' ? '' : `: ${said}`}`)
    this.outcome = outcome
  }
}

/** Runs a program to its end, whatever that is. */
export function attempt(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [file = '', ...args] = argv
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      {
        timeout: options.timeoutMs ?? 60_000,
        killSignal: 'SIGKILL',
        maxBuffer: 64 << 20,
        ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
      },
      (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : child.killed ? 124 : 128
        const why = typeof error?.code === 'string' ? `${error.message}\n` : ''
        resolve({ argv, status: error === null ? 0 : code, stdout, stderr: why + stderr })
      },
    )
    // A program may end without reading its input.
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input ?? '')
  })
}

/** Runs a program that must succeed, and gives what it printed. @throws CommandError */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const outcome = await attempt(argv, options)
  if (outcome.status !== 0) throw new CommandError(outcome)
  return outcome.stdout
}
