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
    this.#meet(resource, takes, needs, 1)
    for (const key of takes) hold(this.#takers, key, resource)
    for (const key of needs) hold(this.#needers, key, resource)
  }

  /** An object that was added before. */
  remove(resource: AnyResource): void {
    const { takes, needs } = this.#claims(resource)
    for (const key of takes) release(this.#takers, key, resource)
    for (const key of needs) release(this.#needers, key, resource)
    this.#meet(resource, takes, needs, -1)
    this.#contests.delete(resource)
  }

  #meet(resource: AnyResource, takes: ReadonlySet<number>, needs: ReadonlySet<number>, by: 1 | -1): void {
    for (const key of takes) for (const other of held(this.#needers, key)) this.#count(resource, other, by)
    for (const key of needs) for (const other of held(this.#takers, key)) this.#count(resource, other, by)
  }

  #count(one: AnyResource, other: AnyResource, by: 1 | -1): void {
    for (const each of [one, other]) {
      const contests = (this.#contests.get(each) ?? 0) + by
      if (contests > 0) this.#contests.set(each, contests)
      else this.#contests.delete(each)
    }
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
