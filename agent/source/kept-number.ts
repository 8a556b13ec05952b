/** The node's number on disk, when it came from an interface's address: see node-number.ts. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeDurably } from '../../files/durable.ts'
import type { KeptNumber } from './node-number.ts'

const pathIn = (stateDir: string): string => join(stateDir, 'node-number.json')

/** Undefined when nothing was kept, or what is there makes no sense. */
export function loadKeptNumber(stateDir: string): KeptNumber | undefined {
  try {
    const value = JSON.parse(readFileSync(pathIn(stateDir), 'utf8')) as Partial<KeptNumber> | null
    if (typeof value?.interface !== 'string' || !Number.isSafeInteger(value.index)) return undefined
    return { interface: value.interface, index: Number(value.index) }
  } catch {
    return undefined
  }
}

export function saveKeptNumber(stateDir: string, kept: KeptNumber): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  writeDurably(pathIn(stateDir), `${JSON.stringify(kept)}\n`)
}

export function removeKeptNumber(stateDir: string): void {
  for (const path of [pathIn(stateDir), `${pathIn(stateDir)}.new`]) rmSync(path, { force: true })
}
