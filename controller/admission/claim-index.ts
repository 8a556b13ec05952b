/**
 * Who claims what, of all declared objects: kept up to date by what differs between one world and the next, so that a
 * review costs as much as the candidate's own claims, not as all objects there are.
 *
 * It only says who might be in each other's way. Which of them stands is for the rules to judge, over those few.
 */
import type { AnyResource } from '../../api/kinds/kinds.ts'
import { fabricRules, nodeRules } from '../../api/rules/judge.ts'
import type { Rule } from '../../api/rules/rule.ts'
import type { Declared } from './admission-world.ts'

/** `node`: only where both are used on one node. */
const RULES: readonly { readonly rule: Rule; readonly scope: 'fabric' | 'node' }[] = [
  ...fabricRules.map((rule) => ({ rule, scope: 'fabric' as const })),
  ...nodeRules.map((rule) => ({ rule, scope: 'node' as const })),
]

export interface Neighbor {
  readonly resource: Declared
  readonly scope: 'fabric' | 'node'
}

export class ClaimIndex {
  readonly #objects = new Map<string, Declared>()
  /** By `thing`. Most things are claimed by one object. */
  readonly #holders = new Map<number, Declared | Set<Declared>>()

  static of(resources: readonly AnyResource[]): ClaimIndex {
    const index = new ClaimIndex()
    index.update(resources)
    return index
  }

  /** Costs claims only for objects that are not the same as before. */
  update(resources: readonly AnyResource[]): void {
    const gone = new Map(this.#objects)
    const come: Declared[] = []
    for (const each of resources) {
      if (each.kind === 'RouterNode') continue
      const key = keyOf(each)
      if (gone.get(key) === each) gone.delete(key)
      else come.push(each)
    }
    for (const key of gone.keys()) this.put(key, undefined)
    for (const each of come) this.put(keyOf(each), each)
  }

  /** One object, by `kind/name`; undefined: it is gone. */
  put(key: string, resource: Declared | undefined): void {
    const before = this.#objects.get(key)
    if (before) for (const what of taken(before)) this.#release(what, before)
    if (resource) {
      this.#objects.set(key, resource)
      for (const what of taken(resource)) this.#take(what, resource)
    } else this.#objects.delete(key)
  }

  /** By `kind/name`. */
  find(key: string): Declared | undefined {
    return this.#objects.get(key)
  }

  get objects(): Iterable<Declared> {
    return this.#objects.values()
  }

  /** Other objects that have taken what this one needs free. */
  *neighbors(resource: Declared): Generator<Neighbor> {
    const own = keyOf(resource)
    for (const [at, { rule, scope }] of RULES.entries())
      for (const { needsFree } of rule.claims(resource))
        for (const key of needsFree)
          for (const holder of this.#holdersOf(thing(at, key)))
            if (keyOf(holder) !== own) yield { resource: holder, scope }
  }

  #holdersOf(what: number): Iterable<Declared> {
    const holders = this.#holders.get(what)
    return holders === undefined ? [] : holders instanceof Set ? holders : [holders]
  }

  #take(what: number, by: Declared): void {
    const holders = this.#holders.get(what)
    if (holders === undefined) this.#holders.set(what, by)
    else if (holders instanceof Set) holders.add(by)
    else this.#holders.set(what, new Set([holders, by]))
  }

  #release(what: number, by: Declared): void {
    const holders = this.#holders.get(what)
    if (holders === by) this.#holders.delete(what)
    else if (holders instanceof Set && holders.delete(by) && holders.size === 0) this.#holders.delete(what)
  }
}

export const keyOf = ({ kind, metadata }: Declared): string => `${kind}/${metadata.name}`

function* taken(resource: Declared): Generator<number> {
  for (const [at, { rule }] of RULES.entries())
    for (const { takes } of rule.claims(resource)) for (const key of takes) yield thing(at, key)
}

/**
 * What is claimed, as a number of 30 bits (FNV-1a, folded): a network marks every network around it, and hundreds of
 * thousands of such texts would take three times the memory. When two meet, an innocent object is looked at too.
 */
function thing(rule: number, key: string): number {
  let hash = 0x811c9dc5 ^ rule
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash >>> 2) ^ (hash & 3)
}
