/**
 * The last-known-good store: what a node boots into with no configuration to read and no controller to ask.
 *
 * One file, `last-good`, holds what was about to be applied; `last-good.previous` the one before. A file is a header
 * line (format and SHA-256 of the rest) and JSON. It is written to a new file, synced, renamed, and the directory is
 * synced, so a crash at any point leaves one of the two whole. Mode 0600: plans hold BGP passwords.
 *
 * Of a large plan of the controller only what changes is added, to `last-good.changes` (last-good-changes.ts), until that
 * is half as large as the plan; `last-good.previous` is a copy then. An agent of before knows nothing of that file: one
 * that stops writes the whole plan (`PlanSource.settle`).
 */
import { copyFileSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { commit, stage } from '../../files/durable.ts'
import {
  appendChange,
  beginChanges,
  readChanges,
  type ChangesEnd,
  type ReadChanges,
  type StoredChange,
} from './last-good-changes.ts'
import { decode, LastGoodError, sealed, type LastGood } from './last-good-file.ts'

const CURRENT = 'last-good'
const PREVIOUS = 'last-good.previous'
const CHANGES = 'last-good.changes'

export interface Loaded {
  readonly lastGood?: LastGood
  /** Changes came after it was written: the plan is what `controller` says, of which `plan` is an older state. */
  readonly changed: boolean
  /** Files that are there and could not be used. */
  readonly problems: readonly LastGoodError[]
}

/** The whole plan on disk that changes are added to. */
interface Base {
  readonly digest: string
  readonly bytes: number
  readonly changes?: ChangesEnd
}

/** A plan that is not larger is written as a whole each time. */
const SMALL_BYTES = 64 * 1024

export class LastGoodStore {
  readonly #directory: string
  readonly #current: string
  readonly #previous: string
  readonly #changes: string
  #base: Base | undefined

  constructor(directory: string) {
    this.#directory = directory
    this.#current = join(directory, CURRENT)
    this.#previous = join(directory, PREVIOUS)
    this.#changes = join(directory, CHANGES)
  }

  /** Reads the newest whole generation and what changed since; a damaged one is a problem, a missing one is not. */
  load(): Loaded {
    const problems: LastGoodError[] = []
    for (const path of [this.#current, this.#previous]) {
      try {
        const { value, digest, bytes } = decode(readFileSync(path, 'utf8'), path)
        const changes = this.#changesAfter(digest, problems)
        const end = changes?.end
        this.#base =
          path === this.#current ? { digest, bytes, ...(end === undefined ? {} : { changes: end }) } : undefined
        return { ...withChanges(value, changes?.changes ?? []), problems }
      } catch (error) {
        if (error instanceof LastGoodError) problems.push(error)
        else if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
          problems.push(new LastGoodError('UNREADABLE', `cannot read ${path}`, { cause: error }))
        }
      }
    }
    return { changed: false, problems }
  }

  /** Something was added since the last whole plan. */
  get hasChanges(): boolean {
    return this.#base?.changes !== undefined
  }

  #changesAfter(digest: string, problems: LastGoodError[]): ReadChanges | undefined {
    try {
      const read = readChanges(this.#changes, digest)
      if (read?.damaged === true) {
        const message = `${this.#changes} is damaged (a checksum does not match), what came after is ignored`
        problems.push(new LastGoodError('DAMAGED', message))
      }
      return read
    } catch (error) {
      problems.push(new LastGoodError('UNREADABLE', `cannot read ${this.#changes}`, { cause: error }))
      return undefined
    }
  }

  /** Writes a new generation; returns when it is on the disk. @throws LastGoodError UNWRITABLE */
  save(value: LastGood): void {
    const before = this.#base
    this.#base = undefined
    this.#writing(() => {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
      const { text, digest: next } = sealed(value)
      stage(this.#current, text)
      rmSync(`${this.#previous}.new`, { force: true })
      if (linked(this.#current, `${this.#previous}.new`)) renameSync(`${this.#previous}.new`, this.#previous)
      // Those of another plan are passed over, and stay with the previous generation.
      if (before === undefined || before.digest === next) rmSync(this.#changes, { force: true })
      commit(this.#current)
      this.#base = { digest: next, bytes: Buffer.byteLength(text) }
    })
  }

  /**
   * Adds a change to what was saved or loaded; returns when it is on the disk. False, and nothing is done, where a new
   * generation is the better way to store it. @throws LastGoodError UNWRITABLE
   */
  append(change: StoredChange): boolean {
    const base = this.#base
    if (base === undefined || base.bytes < SMALL_BYTES || (base.changes?.bytes ?? 0) > base.bytes / 2) return false
    this.#writing(() => {
      if (base.changes === undefined) this.#copyGeneration()
      const changes =
        base.changes === undefined
          ? beginChanges(this.#changes, base.digest, change)
          : appendChange(this.#changes, base.changes, change)
      this.#base = { ...base, changes }
    })
    return true
  }

  /** The changes belong to the copy too: neither file is needed for what came last when the other is damaged. */
  #copyGeneration(): void {
    copyFileSync(this.#current, `${this.#previous}.new`)
    renameSync(`${this.#previous}.new`, this.#previous)
  }

  #writing(write: () => void): void {
    try {
      write()
    } catch (error) {
      const message = `cannot keep the last good plan in ${this.#directory}: make it writable`
      throw new LastGoodError('UNWRITABLE', message, { cause: error })
    }
  }
}

/** Removes every generation. */
export function removeLastGood(directory: string): void {
  for (const name of [CURRENT, PREVIOUS, CHANGES])
    for (const path of [name, `${name}.new`]) rmSync(join(directory, path), { force: true })
}

function withChanges(lastGood: LastGood, changes: readonly StoredChange[]): Omit<Loaded, 'problems'> {
  const { controller } = lastGood
  const last = changes.at(-1)
  if (controller === undefined || last === undefined) return { lastGood, changed: false }
  const pieces = new Map(Object.entries(controller.pieces))
  let { refused, refusedDigest } = controller
  for (const change of changes) {
    for (const key of change.remove) pieces.delete(key)
    for (const [key, text] of Object.entries(change.set)) pieces.set(key, text)
    refused = change.refused ?? refused
    refusedDigest = change.refusedDigest ?? refusedDigest
  }
  const now = { revision: last.revision, pieces: Object.fromEntries(pieces), refused, refusedDigest }
  return { lastGood: { ...lastGood, controller: now }, changed: true }
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
