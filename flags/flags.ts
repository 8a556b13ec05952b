/** Command lines from one table of flags: it makes the parser, the defaults and the help text. */
import { parseArgs } from 'node:util'

export interface Flag {
  /** What stands for the value in the help text: `DIR`. Left out: a switch, which takes none. */
  readonly value?: string
  readonly default?: string
  readonly help: string
}

export type Flags = Readonly<Record<string, Flag>>

export interface Endpoint {
  /** Empty: every address of the machine. */
  readonly address: string
  readonly port: number
}

/** A command line that cannot be used; the message says which flag and what it takes. */
export class UsageError extends Error {
  readonly code = 'USAGE'
}

export interface Parsed {
  /** The value given, or the default. */
  readonly text: (flag: string) => string | undefined
  /** Whether the switch was given. */
  readonly on: (flag: string) => boolean
  readonly positionals: readonly string[]
  readonly help: boolean
  readonly version: boolean
}

/**
 * Reads the arguments after the program's name, at most so many of which may be no flags; --help and --version come by
 * themselves. @throws UsageError
 */
export function parseFlags(flags: Flags, args: readonly string[], mostPositionals = 0): Parsed {
  const { values, positionals } = parsed(flags, args)
  const empty = Object.keys(flags).find((flag) => values[flag] === '')
  if (empty !== undefined) throw new UsageError(`--${empty} needs a value`)
  const extra = positionals[mostPositionals]
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`)
  return {
    text: (flag) => (values[flag] as string | undefined) ?? flags[flag]?.default,
    on: (flag) => values[flag] === true,
    positionals,
    help: values['help'] === true,
    version: values['version'] === true,
  }
}

function parsed(flags: Flags, args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...Object.fromEntries(
          Object.entries(flags).map(([name, { value }]) => [
            name,
            { type: value === undefined ? 'boolean' : 'string' },
          ]),
        ),
        help: { type: 'boolean' as const, short: 'h' },
        version: { type: 'boolean' as const },
      },
    }) as { values: Record<string, string | boolean | undefined>; positionals: string[] }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** One line a flag for the help text. */
export function flagRows(flags: Flags): readonly string[] {
  const lefts = Object.entries(flags).map(([name, flag]) => `  --${name} ${flag.value ?? ''}`.trimEnd())
  const width = Math.max(26, ...lefts.map((left) => left.length))
  return Object.values(flags).map((flag, at) => {
    const fallback = flag.default === undefined ? '' : ` (default: ${flag.default})`
    return `${(lefts[at] ?? '').padEnd(width)} ${flag.help}${fallback}`
  })
}

export function oneOf<T extends string>(what: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value)
  if (found === undefined) throw new UsageError(`${what} is "${value}", but must be one of ${allowed.join(', ')}`)
  return found
}

export function integer(flag: string, value: string, least: number, most: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (!(number >= least && number <= most)) {
    throw new UsageError(`--${flag} is "${value}", but must be a whole number from ${least} to ${most}`)
  }
  return number
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** `90s`, `10m`, `1h`, `1h30m` as milliseconds. */
export function durationMs(flag: string, value: string): number {
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  if (value === '0') return 0
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== value)
    throw new UsageError(`--${flag} is "${value}", but must be a duration, such as 90s, 10m or 1h`)
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS_MS[unit ?? ''] ?? 0), 0)
}

/** `ADDRESS:PORT`, `[ADDRESS]:PORT` or `:PORT`. */
export function endpoint(flag: string, value: string): Endpoint {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(value)
  if (match === null)
    throw new UsageError(`--${flag} is "${value}", but must be ADDRESS:PORT, such as 127.0.0.1:9100 or [::]:9100`)
  return { address: match[1] ?? match[2] ?? '', port: integer(flag, match[3] ?? '', 0, 65_535) }
}
