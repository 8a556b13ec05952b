/** The NICs' records on disk: one file each, replaced atomically and synced, readable by the agent's user only. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { KernelError } from '../kernel-error.ts'
import type { NicRecord } from './record.ts'

export class NicStore {
  readonly #folder: string

  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'nics')
  }

  /** By name. Throws KernelError for a file that cannot be read: guessing would lose the NIC's configuration. */
  all(): Map<string, NicRecord> {
    const records = new Map<string, NicRecord>()
    if (!existsSync(this.#folder)) return records
    for (const file of readdirSync(this.#folder).filter((name) => name.endsWith('.json'))) {
      const path = join(this.#folder, file)
      try {
        const record = JSON.parse(readFileSync(path, 'utf8')) as NicRecord
        if (record.version !== 1) throw new Error(`version ${String(record.version)} is not known`)
        records.set(record.name, record)
      } catch (cause) {
        const message = `the record of a NIC, ${path}, cannot be read: repair it, or remove it if the NIC needs nothing back`
        throw new KernelError('KernelRefused', message, { cause })
      }
    }
    return records
  }

  get(name: string): NicRecord | undefined {
    return this.all().get(name)
  }

  /** It is on disk when this returns. */
  put(record: NicRecord): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    const path = join(this.#folder, `${record.name}.json`)
    const file = openSync(`${path}.new`, 'w', 0o600)
    try {
      writeSync(file, `${JSON.stringify(record, null, 2)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(`${path}.new`, path)
    this.#sync()
  }

  forget(name: string): void {
    rmSync(join(this.#folder, `${name}.json`), { force: true })
    if (existsSync(this.#folder)) this.#sync()
  }

  #sync(): void {
    const folder = openSync(this.#folder, 'r')
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
  }
}
