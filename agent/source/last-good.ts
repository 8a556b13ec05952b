/**
 * The last-known-good store: what a node boots into with no configuration to read and no controller to ask.
 *
 * One file, `last-good`, holds what was about to be applied; `last-good.previous` the one before. A file is a header
 * line (format and SHA-256 of the rest) and JSON. It is written to a new file, synced, renamed, and the directory is
 * synced, so a crash at any point leaves one of the two whole. Mode 0600: plans hold BGP passwords.
 */
import { createHash } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeFacts } from '../../api/plan/node-facts.ts'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import type { Violation } from '../../api/rules/violation.ts'
import type { Arrivals } from '../../files/arrival.ts'
import { commit, stage } from '../../files/durable.ts'

const FORMAT = 'nodeleaf-last-good 1'
const CURRENT = 'last-good'
const PREVIOUS = 'last-good.previous'

/** The controller's plan as it came, so that an update can build on it after a boot. */
export interface StoredControllerPlan {
  readonly revision: string
  /** JSON by key of the piece. */
  readonly pieces: Readonly<Record<string, string>>
  readonly refused: readonly Violation[]
  /** The controller's name for what is refused. */
  readonly refusedDigest: string
}

/** Fields were added over time, none was removed: every agent reads what an older or a newer one has written. */
export interface LastGood {
  readonly revision: string
  /** All of it, whatever the source. */
  readonly plan: NodePlan
  /** What was not taken into the plan, and why. */
  readonly refused: readonly Violation[]
  /** The last good text of every configuration file, by file name: what a file that is bad at boot falls back to. */
  readonly files: Readonly<Record<string, string>>
  /** In which order the files' objects came. */
  readonly arrivals?: Arrivals
  /** For whom the files were planned. */
  readonly node?: NodeFacts
  /** The last plan of the controller; absent: none ever came. */
  readonly controller?: StoredControllerPlan
  /** The addresses that the controller gave this node last. */
  readonly numbers?: StoredNumbers
}

export interface StoredNumbers {
  readonly vteps: readonly string[]
  readonly routerID: string
  /** Where the first VTEP is in its pool: what the files are planned with on a node that has no number of its own. */
  readonly index?: number
}

export class LastGoodError extends Error {
  readonly code: 'DAMAGED' | 'UNREADABLE' | 'UNWRITABLE'
  constructor(code: LastGoodError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface Loaded {
  readonly lastGood?: LastGood
  /** Files that are there and could not be used. */
  readonly problems: readonly LastGoodError[]
}

/** Reads the newest whole generation of `directory`; a damaged one is a problem, a missing one is not. */
export function loadLastGood(directory: string): Loaded {
  const problems: LastGoodError[] = []
  for (const name of [CURRENT, PREVIOUS]) {
    const path = join(directory, name)
    try {
      return { lastGood: decode(readFileSync(path, 'utf8'), path), problems }
    } catch (error) {
      if (error instanceof LastGoodError) problems.push(error)
      else if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        problems.push(new LastGoodError('UNREADABLE', `cannot read ${path}`, { cause: error }))
      }
    }
  }
  return { problems }
}

/** Writes a new generation; returns when it is on the disk. @throws LastGoodError UNWRITABLE */
export function saveLastGood(directory: string, value: LastGood): void {
  const [current, previous] = [join(directory, CURRENT), join(directory, PREVIOUS)]
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    stage(current, encode(value))
    rmSync(`${previous}.new`, { force: true })
    if (linked(current, `${previous}.new`)) renameSync(`${previous}.new`, previous)
    commit(current)
  } catch (error) {
    throw new LastGoodError('UNWRITABLE', `cannot keep the last good plan in ${directory}: make it writable`, {
      cause: error,
    })
  }
}

/** Removes every generation. */
export function removeLastGood(directory: string): void {
  for (const name of [CURRENT, PREVIOUS, `${CURRENT}.new`, `${PREVIOUS}.new`])
    rmSync(join(directory, name), { force: true })
}

export function encode(value: LastGood): string {
  const body = `${JSON.stringify(value)}\n`
  return `${FORMAT} sha256:${digest(body)}\n${body}`
}

/** @throws LastGoodError DAMAGED, naming `path` and what is wrong */
export function decode(text: string, path: string): LastGood {
  const end = text.indexOf('\n')
  const header = text.slice(0, Math.max(end, 0))
  const body = text.slice(end + 1)
  if (!header.startsWith(`${FORMAT} sha256:`)) {
    throw new LastGoodError('DAMAGED', `${path} is not a last good plan of this format, it is ignored`)
  }
  if (header !== `${FORMAT} sha256:${digest(body)}`) {
    throw new LastGoodError('DAMAGED', `${path} is damaged (its checksum does not match), it is ignored`)
  }
  return JSON.parse(body) as LastGood
}

function digest(body: string): string {
  return createHash('sha256').update(body).digest('hex')
}

/** Whether there was a file to link to. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
