/** Reads the resources that `-f` names: files, directories, or standard input. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { joined, readManifest, type Reading } from '../api/manifest/read.ts'
import { CliError } from './cli-error.ts'

/** A directory gives what the agent would read of it: `*.yaml`, `*.yml`, `*.json` directly in it, in order of name. */
export function readResources(sources: readonly string[]): Reading {
  return joined([...new Set(sources.flatMap(filesOf))].map((file) => readManifest(nameOf(file), textOf(file))))
}

const isResourceFile = (name: string): boolean => /^[^.#].*\.(yaml|yml|json)$/.test(name)

const nameOf = (file: string): string => (file === '-' ? '(standard input)' : file)

function filesOf(source: string): readonly string[] {
  if (source === '-') return [source]
  try {
    if (!statSync(source).isDirectory()) return [source]
    return readdirSync(source)
      .filter(isResourceFile)
      .sort()
      .map((name) => join(source, name))
  } catch (error) {
    throw unreadable(source, error)
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    throw unreadable(nameOf(file), error)
  }
}

function unreadable(path: string, error: unknown): CliError {
  return new CliError('FILE', `${path} cannot be read: ${why(path, error as NodeJS.ErrnoException)}`, { cause: error })
}

function why(path: string, { code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return path.includes(',') ? 'there is no such file; repeat -f for each file' : 'there is no such file'
    case 'EISDIR':
      return 'it is a directory; give it with -f itself, or rename it'
    case 'EACCES':
      return 'permission denied'
    default:
      return message
  }
}
