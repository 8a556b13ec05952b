/** Files that are whole after a crash at any point: written aside, synced, renamed; then their directory is synced. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Replaces the file at `path`; returns when it is on the disk. Only its owner may read it. */
export function writeDurably(path: string, text: string): void {
  stage(path, text)
  commit(path)
}

/** Writes what `commit` will put in place, to `PATH.new`. */
export function stage(path: string, text: string): void {
  rmSync(`${path}.new`, { force: true })
  const file = openSync(`${path}.new`, 'wx', 0o600)
  try {
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

export function commit(path: string): void {
  renameSync(`${path}.new`, path)
  const directory = openSync(dirname(path), 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
