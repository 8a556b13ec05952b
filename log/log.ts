/**
 * One line for each thing that happened on the node: what changed and why. As `key=value` for people, as JSON for
 * collectors. Secrets never reach the output: values of secret keys and FRR `password` words are masked here, at the
 * only place where lines are made.
 */

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof LEVELS)[number]
export const FORMATS = ['kv', 'json'] as const
export type Format = (typeof FORMATS)[number]

export type Fields = Readonly<Record<string, unknown>>

export interface Log {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
}

export interface LogOptions {
  readonly level: Level
  readonly format: Format
  readonly write: (line: string) => void
  readonly now: () => Date
}

const SECRET_KEY = /^(password|secret|token|key)$/i

/** Masks what follows FRR's `password` word: `neighbor 192.0.2.1 password ***`. */
export function masked(text: string): string {
  return text.replaceAll(/\bpassword(\s+\d)?\s+\S+/g, 'password ***')
}

/** Makes a log that drops lines below `level` and hands the others, without a line end, to `write`. */
export function createLog(options: LogOptions): Log {
  const threshold = LEVELS.indexOf(options.level)
  const emit = (level: Level, message: string, fields: Fields = {}): void => {
    if (LEVELS.indexOf(level) < threshold) return
    const entries: [string, unknown][] = [
      ['time', options.now().toISOString()],
      ['level', level],
      ['msg', masked(message)],
    ]
    for (const [key, value] of Object.entries(fields)) {
      if (value !== undefined) entries.push([key, SECRET_KEY.test(key) ? '***' : plain(value)])
    }
    options.write(
      options.format === 'json'
        ? JSON.stringify(Object.fromEntries(entries))
        : entries.map(([key, value]) => `${key}=${quoted(value)}`).join(' '),
    )
  }
  return {
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
  }
}

/** An error becomes its message and those of its causes; text is masked; numbers and booleans stay. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return masked(messageOf(value))
  if (typeof value === 'number' || typeof value === 'boolean') return value
  return masked(typeof value === 'string' ? value : JSON.stringify(value))
}

function quoted(value: unknown): string {
  const text = String(value)
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)
}

/** The message of anything thrown, with the messages of its causes that it does not already contain. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : messageOf(error.cause)
  return cause === '' || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}
