/**
 * The configuration directory as it is: which files there are and what they say. Reads only; never decides.
 *
 * Files are `*.yaml`, `*.yml` and `*.json` directly in the directory. Names that start with `.` or `#` are editors' and
 * Kubernetes' own (`.a.yaml.swp`, `..data`) and are passed over; links to files are followed.
 */
import { lstatSync, readdirSync, readFileSync, statSync, type Stats } from 'node:fs'
import { join } from 'node:path'

export type FileReading =
  | { readonly type: 'text'; readonly text: string }
  /** Being written at this moment: look again soon. */
  | { readonly type: 'unsettled' }
  | { readonly type: 'unreadable'; readonly message: string }

export type DirectoryReading =
  | { readonly type: 'read'; readonly files: ReadonlyMap<string, FileReading> }
  /** Missing, or not to be listed: nothing is known of what is wanted. */
  | { readonly type: 'away'; readonly message: string }

/** An empty file this young may be one whose content is still on its way. */
const EMPTY_SETTLES_MS = 2000

/** Some ten thousand objects: a person's mistake rather than a configuration when there is more in one file. */
const LARGEST_BYTES = 4 * 1024 * 1024

export function isConfigFile(name: string): boolean {
  return /^[^.#].*\.(yaml|yml|json)$/.test(name)
}

/** Reads every configuration file of `path`; `nowMs` is the time of day, to tell young files. */
export function readDirectory(path: string, nowMs: number): DirectoryReading {
  let names: string[]
  try {
    names = readdirSync(path).filter(isConfigFile).sort()
  } catch (error) {
    return { type: 'away', message: describe(path, error) }
  }
  return { type: 'read', files: new Map(names.flatMap((name) => entry(path, name, nowMs))) }
}

/** Whether there is a configuration file in `path`, as far as can be seen. */
export function hasFiles(path: string): boolean {
  try {
    return readdirSync(path).some(isConfigFile)
  } catch {
    return false
  }
}

/** Which files there are, and in which state, in one string that differs when anything does. */
export function fingerprint(path: string): string {
  try {
    const itself = statSync(path)
    const names = readdirSync(path).filter(isConfigFile).sort()
    return [`${itself.dev}:${itself.ino}`, ...names.map((name) => `${name} ${version(join(path, name))}`)].join('\n')
  } catch (error) {
    return describe(path, error)
  }
}

/** One string that differs when the file does; never throws. */
export function version(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, mode } = statSync(path, { bigint: true })
    return `${dev}:${ino}:${size}:${mtimeNs}:${mode}`
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

/** Nothing for a file that is gone by now. */
function entry(directory: string, name: string, nowMs: number): [string, FileReading][] {
  const path = join(directory, name)
  try {
    const before = version(path)
    const stat = statSync(path)
    const unfit = unfitness(stat)
    if (unfit !== undefined) return [[name, { type: 'unreadable', message: `${path} ${unfit}` }]]
    const text = decoded(readFileSync(path))
    if (text === undefined) return [[name, { type: 'unreadable', message: `${path} is not text in UTF-8` }]]
    if (version(path) !== before) return [[name, { type: 'unsettled' }]]
    // A time in the future, from a clock that was wrong, is not young.
    const young = Math.abs(nowMs - stat.mtimeMs) < EMPTY_SETTLES_MS
    return [[name, text.trim() === '' && young ? { type: 'unsettled' } : { type: 'text', text }]]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return dangling(path, name)
    return [[name, { type: 'unreadable', message: describe(path, error) }]]
  }
}

/** Why a file is not opened: reading a pipe waits for ever, a device never ends, and parsing keeps all else waiting. */
function unfitness(stat: Stats): string | undefined {
  if (stat.isDirectory()) return 'is a directory, not a file'
  if (!stat.isFile()) return 'is not a file but a pipe, a socket or a device: remove it'
  if (stat.size > LARGEST_BYTES)
    return `has ${stat.size} bytes, more than ${LARGEST_BYTES}: divide it into several files`
  return undefined
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined
  }
}

/** A link that leads nowhere is still a file someone wants; a name that is gone is not. */
function dangling(path: string, name: string): [string, FileReading][] {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return []
  return [[name, { type: 'unreadable', message: `${path}: the link leads to no file` }]]
}

function describe(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'ENOENT':
      return `${path} does not exist`
    case 'ENOTDIR':
      return `${path} is not a directory`
    case 'EISDIR':
      return `${path} is a directory, not a file`
    case 'EACCES':
      return `${path} may not be read: give the agent's user permission`
    default:
      return `${path} cannot be read: ${message}`
  }
}
