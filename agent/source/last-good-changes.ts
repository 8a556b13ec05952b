/**
 * Changes of a large plan on disk, one line each, so that a change of one piece costs one short write: `last-good.changes`
 * beside the whole plan that they begin with (last-good.ts).
 *
 * The first line names that plan by its checksum; each further line is the SHA-256 of its JSON and of the line before.
 * What a crash has left half written at the end is passed over: it was not applied. Mode 0600: plans hold BGP passwords.
 */
import { createHash } from 'node:crypto'
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Violation } from '../../api/rules/violation.ts'
import { writeDurably } from '../../files/durable.ts'

const FORMAT = 'nodeleaf-last-good-changes 1'

export interface StoredChange {
  /** Of the controller's plan after it. */
  readonly revision: string
  /** JSON by key of the piece. */
  readonly set: Readonly<Record<string, string>>
  /** Keys. */
  readonly remove: readonly string[]
  /** Absent: as before. */
  readonly refused?: readonly Violation[]
  readonly refusedDigest?: string
}

/** Where the next line goes. */
export interface ChangesEnd {
  readonly bytes: number
  /** Of the last line. */
  readonly digest: string
}

export interface ReadChanges {
  readonly changes: readonly StoredChange[]
  readonly end: ChangesEnd
  /** A line in the middle is not what was written: it and those after it are lost. */
  readonly damaged: boolean
}

/** The changes after the plan with this checksum; undefined when the file is not there or of another plan. */
export function readChanges(path: string, base: string): ReadChanges | undefined {
  const bytes = contentOf(path)
  const header = headerOf(base)
  if (bytes?.subarray(0, header.length).toString() !== header) return undefined
  const changes: StoredChange[] = []
  let end: ChangesEnd = { bytes: header.length, digest: base }
  for (;;) {
    const stop = bytes.indexOf('\n', end.bytes)
    if (stop < 0) return { changes, end, damaged: false }
    const [digest = '', json] = divided(bytes.subarray(end.bytes, stop).toString())
    if (digest !== digestOf(end.digest, json)) return { changes, end, damaged: true }
    changes.push(JSON.parse(json) as StoredChange)
    end = { bytes: stop + 1, digest }
  }
}

/** Begins the changes after the plan with this checksum, in place of any others. */
export function beginChanges(path: string, base: string, change: StoredChange): ChangesEnd {
  const header = headerOf(base)
  const { line, digest } = lineOf(base, change)
  writeDurably(path, header + line)
  return { bytes: header.length + Buffer.byteLength(line), digest }
}

/** Adds a line; returns when it is on the disk. What is behind `end` is overwritten. */
export function appendChange(path: string, end: ChangesEnd, change: StoredChange): ChangesEnd {
  const { line, digest } = lineOf(end.digest, change)
  const bytes = Buffer.from(line)
  const file = openSync(path, 'r+')
  try {
    if (fstatSync(file).size !== end.bytes) ftruncateSync(file, end.bytes)
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, end.bytes + at)
    fdatasyncSync(file)
  } finally {
    closeSync(file)
  }
  return { bytes: end.bytes + bytes.length, digest }
}

const headerOf = (base: string): string => `${FORMAT} after sha256:${base}\n`

function lineOf(before: string, change: StoredChange): { readonly line: string; readonly digest: string } {
  const json = JSON.stringify(change)
  const digest = digestOf(before, json)
  return { line: `${digest} ${json}\n`, digest }
}

function divided(line: string): [digest: string, json: string] {
  const at = line.indexOf(' ')
  return [line.slice(0, Math.max(at, 0)), line.slice(at + 1)]
}

const digestOf = (before: string, json: string): string =>
  createHash('sha256').update(before).update(json).digest('hex')

function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
