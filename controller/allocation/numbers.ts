/** Which numbers are taken while they are handed out. */
import {
  addressAt,
  contains,
  formatAddress,
  networkOf,
  parseAddress,
  parsePrefix,
  sizeOf,
} from '../../api/address/prefix.ts'
import type { LedgerEntry } from './ledger.ts'

export class Numbers {
  readonly #indexes = new Set<number>()
  /** Node by address, VTEPs and router IDs together: an address of one node is in no way one of another. */
  readonly #addresses = new Map<string, string>()
  #lowest = 0
  /** By pool: all addresses before this one are taken. */
  readonly #searched = new Map<string, bigint>()

  constructor(entries: Iterable<LedgerEntry>) {
    for (const { node, index, vteps, routerID } of entries) {
      this.#indexes.add(index)
      for (const vtep of vteps) this.#addresses.set(vtep, node)
      if (routerID !== undefined) this.#addresses.set(routerID, node)
    }
  }

  /** False: somebody has it. */
  takeIndex(index: number): boolean {
    if (this.#indexes.has(index)) return false
    this.#indexes.add(index)
    return true
  }

  /** Takes the smallest free one. */
  nextIndex(max: number): number | undefined {
    while (this.#indexes.has(this.#lowest)) this.#lowest++
    return this.#lowest <= max && this.takeIndex(this.#lowest) ? this.#lowest : undefined
  }

  /** False: another node has it. */
  take(address: string, node: string): boolean {
    const holder = this.#addresses.get(address)
    if (holder !== undefined && holder !== node) return false
    this.#addresses.set(address, node)
    return true
  }

  give(address: string, node: string): void {
    if (this.#addresses.get(address) !== node) return
    this.#addresses.delete(address)
    for (const [pool, from] of this.#searched) {
      const offset = offsetIn(pool, address)
      if (offset !== undefined && offset < from) this.#searched.set(pool, offset)
    }
  }

  /** Takes the first address that is wanted and free, otherwise the first free one of the pool; undefined: there is none. */
  takeFrom(pool: string, wanted: readonly string[], node: string): string | undefined {
    const found = wanted.find((each) => this.take(each, node))
    if (found !== undefined) return found
    const prefix = parsePrefix(pool)
    if (!prefix) return undefined
    let offset = this.#searched.get(pool) ?? 1n
    for (; offset < sizeOf(prefix); offset++) {
      const address = addressAt(prefix, offset)
      const text = address && formatAddress(address)
      if (text === undefined || !this.take(text, node)) continue
      this.#searched.set(pool, offset)
      return text
    }
    this.#searched.set(pool, offset)
    return undefined
  }
}

function offsetIn(pool: string, text: string): bigint | undefined {
  const prefix = parsePrefix(pool)
  const address = parseAddress(text)
  return prefix && address && contains(prefix, address) ? address.value - networkOf(prefix).value : undefined
}
