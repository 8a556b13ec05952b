/** What the main file of a program does around its work: signals, the log, and what an error ends it with. */
import { createLog, type Format, type Level, type Log } from '../log/log.ts'
import { UsageError } from './flags.ts'

/** Lines on standard error. */
export function programLog({ logLevel: level, logFormat: format }: { logLevel: Level; logFormat: Format }): Log {
  return createLog({ level, format, now: () => new Date(), write: (line) => process.stderr.write(`${line}\n`) })
}

/** Aborts when the program is asked to end. */
export function stopOnSignals(): AbortController {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort())
  return stop
}

/** The exit code for a command line that cannot be used, which is said; anything else is thrown again. */
export function usageExit(program: string, error: unknown): number {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${program}: ${error.message}\nTry "${program} --help".\n`)
  return 2
}

/** The exit code for what ended the program, which is said; with a stack where nobody thought of the error. */
export function failureExit(log: Log, message: string, error: unknown): number {
  log.error(message, { error })
  if (error instanceof Error && !('code' in error)) log.debug('stack', { stack: error.stack })
  return 1
}
