/** What an agent of the simulation knows of its plan: the revision, and for some agents the hash of each piece. */
import { hashOf, minus, plus, revisionText, sumOfNode } from '../../api/plan/revision.ts'
import type { PlanPart } from './messages.ts'

export interface Taken {
  /** Empty: none. */
  readonly mistake: string
  readonly pieces: number
  readonly removed: number
}

export class HeldPlan {
  revision = ''
  refusedDigest = ''
  readonly #node: string
  /** By key; undefined: this agent believes what it is told. */
  readonly #hashes: Map<string, bigint> | undefined
  #sum: bigint

  constructor(node: string, checks: boolean) {
    this.#node = node
    this.#hashes = checks ? new Map() : undefined
    this.#sum = sumOfNode(node)
  }

  /** All messages of one update. What is wrong with it is said, and the plan stays as it was. */
  take(parts: readonly PlanPart[]): Taken {
    const [{ base, revision, refusedDigest } = NOTHING] = parts
    const pieces = parts.reduce((sum, { set }) => sum + set.length, 0)
    const removed = parts.reduce((sum, { remove }) => sum + remove.length, 0)
    const wrong = (mistake: string): Taken => ({ mistake, pieces, removed })
    if (base !== '' && base !== this.revision) return wrong(`an update of ${base} came, ${this.revision} is here`)
    if (parts.some((part) => part.base !== base || part.revision !== revision)) return wrong('an update came in halves')
    if (this.#hashes !== undefined) {
      this.#change(this.#hashes, base === '', parts)
      const sum = revisionText(this.#sum)
      if (sum !== revision) return wrong(`the pieces are ${sum}, not ${revision}`)
    }
    this.revision = revision
    if (refusedDigest !== undefined) this.refusedDigest = refusedDigest
    return { mistake: '', pieces, removed }
  }

  #change(hashes: Map<string, bigint>, anew: boolean, parts: readonly PlanPart[]): void {
    if (anew) {
      hashes.clear()
      this.#sum = sumOfNode(this.#node)
    }
    for (const { set, remove } of parts) {
      for (const key of remove) {
        this.#sum = minus(this.#sum, hashes.get(key) ?? 0n)
        hashes.delete(key)
      }
      for (const { key, json } of set) {
        const hash = hashOf(key, json)
        this.#sum = plus(minus(this.#sum, hashes.get(key) ?? 0n), hash)
        hashes.set(key, hash)
      }
    }
  }
}

const NOTHING = { base: '', revision: '', refusedDigest: undefined }
