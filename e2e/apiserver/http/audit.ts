/** Every request that came, for tests to count. */
import type { Verb } from './route.ts'

export interface AuditEntry {
  readonly at: number
  readonly verb: Verb
  /** `l3vnis.nodeleaf.io`, `leases.coordination.k8s.io`; empty for other paths. */
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly user: string
  readonly path: string
  /** Absent as long as it is not answered. */
  readonly status?: number
  /** Of the bodies that came and went. */
  readonly received: number
  readonly sent: number
}

type Filter = Partial<Pick<AuditEntry, 'verb' | 'resource' | 'subresource' | 'namespace' | 'name' | 'user' | 'status'>>

/** Entries kept: a benchmark makes more than a test wants to look at. */
const MOST = 100_000

export class Audit {
  #entries: AuditEntry[] = []

  /** A new entry; the returned function amends it. */
  open(entry: AuditEntry): (change: Partial<AuditEntry>) => void {
    const own = { ...entry }
    this.#entries.push(own)
    if (this.#entries.length > MOST) this.#entries = this.#entries.slice(MOST / 2)
    return (change) => Object.assign(own, change)
  }

  clear(): void {
    this.#entries = []
  }

  /** Those that have all the given values, oldest first. */
  entries(filter: Filter = {}): readonly AuditEntry[] {
    const wanted = Object.entries(filter)
    return this.#entries.filter((each) => wanted.every(([key, value]) => each[key as keyof AuditEntry] === value))
  }
}
