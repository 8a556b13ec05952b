/**
 * Which objects lay claim to what another one needs, kept up to date object by object.
 *
 * An object in no contest stands whatever the others do, and nothing falls because of it. So to judge thousands of objects
 * only those in a contest have to be held against each other, in the order of their age (rules/judge.ts).
 */
import type { AnyResource } from '../kinds/kinds.ts'
import type { Rule } from '../rules/rule.ts'

type Holders = Map<number, AnyResource | AnyResource[]>

export class Contest {
  readonly #rules: readonly Rule[]
  readonly #takers: Holders = new Map()
  readonly #needers: Holders = new Map()
  /** Only those above 0. */
  readonly #contests = new Map<AnyResource, number>()

  constructor(rules: readonly Rule[]) {
    this.#rules = rules
  }

  has(resource: AnyResource): boolean {
    return this.#contests.has(resource)
  }

  add(resource: AnyResource): void {
    const { takes, needs } = this.#claims(resource)
    for (const key of takes) this.#hold(this.#takers, this.#needers, key, resource)
    for (const key of needs) this.#hold(this.#needers, this.#takers, key, resource)
  }

  /** An object that was added before. */
  remove(resource: AnyResource): void {
    const { takes, needs } = this.#claims(resource)
    for (const key of needs) this.#release(this.#needers, this.#takers, key, resource)
    for (const key of takes) this.#release(this.#takers, this.#needers, key, resource)
  }

  #hold(holders: Holders, others: Holders, key: number, resource: AnyResource): void {
    const against = held(others, key)
    for (const other of firstMet(held(holders, key), against)) if (other !== resource) this.#count(other, 1)
    hold(holders, key, resource)
    if (anyBut(against, resource)) this.#count(resource, 1)
  }

  #release(holders: Holders, others: Holders, key: number, resource: AnyResource): void {
    const against = held(others, key)
    if (anyBut(against, resource)) this.#count(resource, -1)
    release(holders, key, resource)
    for (const other of firstMet(held(holders, key), against)) if (other !== resource) this.#count(other, -1)
  }

  /** For each key that the object holds, whether another one holds the opposite: so thousands on one key cost little. */
  #count(resource: AnyResource, by: 1 | -1): void {
    const contests = (this.#contests.get(resource) ?? 0) + by
    if (contests > 0) this.#contests.set(resource, contests)
    else this.#contests.delete(resource)
  }

  /** Keys as small hashes: two that meet by accident only make a contest that the judge settles. */
  #claims(resource: AnyResource): { readonly takes: ReadonlySet<number>; readonly needs: ReadonlySet<number> } {
    const takes = new Set<number>()
    const needs = new Set<number>()
    for (const [number, rule] of this.#rules.entries())
      for (const claim of rule.claims(resource)) {
        for (const key of claim.takes) takes.add(hashOf(number, key))
        for (const key of claim.needsFree) needs.add(hashOf(number, key))
      }
    return { takes, needs }
  }
}

/** FNV-1a over UTF-16 code units, 30 bits. */
function hashOf(seed: number, text: string): number {
  let hash = 0x811c9dc5 ^ seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 15)) & 0x3fffffff
}

function held(holders: Holders, key: number): readonly AnyResource[] {
  const found = holders.get(key)
  return found === undefined ? [] : Array.isArray(found) ? found : [found]
}

const anyBut = (objects: readonly AnyResource[], one: AnyResource): boolean =>
  objects.length > 1 || (objects.length === 1 && objects[0] !== one)

/** Of those against a key, the ones for which its next holder is the first other one. */
function firstMet(holders: readonly AnyResource[], against: readonly AnyResource[]): readonly AnyResource[] {
  const [sole] = holders
  if (holders.length === 0 || sole === undefined) return [...against]
  return holders.length === 1 && against.includes(sole) ? [sole] : []
}

function hold(holders: Holders, key: number, resource: AnyResource): void {
  const found = holders.get(key)
  if (found === undefined) holders.set(key, resource)
  else if (Array.isArray(found)) found.push(resource)
  else holders.set(key, [found, resource])
}

function release(holders: Holders, key: number, resource: AnyResource): void {
  const found = holders.get(key)
  if (!Array.isArray(found)) {
    holders.delete(key)
    return
  }
  const last = found.pop()
  const at = last === resource ? -1 : found.indexOf(resource)
  if (at >= 0 && last) found[at] = last
  if (found.length === 0) holders.delete(key)
}
