/**
 * What is wanted and what is there, kept from look to look, so that the work of comparing follows what changed: `diff`
 * sees what has changed since, what had differences left, and what hangs on either. Pure but for what it keeps.
 *
 * What an operation on an object depends on is never further away than the links it hangs on and what hangs on those,
 * what else would have its VLAN, VNI or table, and the underlay, which is small and always looked at. Everything else
 * had no difference before and has none now.
 */
import { diffOf } from './diff.ts'
import type { KernelObject } from './objects.ts'
import { isSetting, keyOf, linkKey, linksOf } from './objects.ts'
import type { ForeignLink, Observed } from './observed.ts'
import type { Operation } from './operation.ts'
import { same } from './same.ts'

/** All that is known under one key: of an object, or of something that only one object can have. */
interface Entry {
  readonly key: string
  want: KernelObject | undefined
  have: KernelObject | undefined
  foreign: ForeignLink | undefined
  /** What names it or claims it; most often one. */
  naming: Entry | Set<Entry> | undefined
}

type Side = 'want' | 'have'

export class Comparison {
  readonly #entries = new Map<string, Entry>()
  #moving: readonly string[] = []
  /** Of the underlay. */
  readonly #basis = new Set<Entry>()
  readonly #dirty = new Set<Entry>()
  /** How much the last comparison looked at. */
  looked = 0

  /** What is wanted under the key. */
  want(key: string): KernelObject | undefined {
    return this.#entries.get(key)?.want
  }

  /** What is there under the key. */
  have(key: string): KernelObject | undefined {
    return this.#entries.get(key)?.have
  }

  get wants(): KernelObject[] {
    return [...this.#entries.values()].flatMap(({ want }) => want ?? [])
  }

  get haves(): KernelObject[] {
    return [...this.#entries.values()].flatMap(({ have }) => have ?? [])
  }

  /** Everything that is there. */
  get observed(): Observed {
    const foreign = [...this.#entries.values()].flatMap((entry) => entry.foreign ?? [])
    return { objects: this.haves, foreign, moving: this.#moving }
  }

  /** What is wanted under the key from now on; undefined: nothing. */
  setWant(key: string, object: KernelObject | undefined): void {
    this.#set('want', key, object)
  }

  /** What is there under the key now. */
  setHave(key: string, object: KernelObject | undefined): void {
    this.#set('have', key, object)
  }

  /** Whose link that is not nodeleaf's has the name; `key` is that of a link. */
  setForeign(key: string, link: ForeignLink | undefined): void {
    if (same(this.#entries.get(key)?.foreign, link)) return
    const entry = this.#entry(key)
    entry.foreign = link
    this.#dirty.add(entry)
  }

  /** Names of NICs that are on their way. */
  setMoving(moving: readonly string[]): void {
    if (same(this.#moving, moving)) return
    for (const name of [...this.#moving, ...moving]) this.#dirty.add(this.#entry(linkKey('router', name)))
    this.#moving = moving
  }

  /** What is there and names the link. */
  hanging(link: string): KernelObject[] {
    return [...naming(this.#entries.get(link))].flatMap(({ have }) => have ?? [])
  }

  /** All that is wanted. */
  wantAll(objects: readonly KernelObject[]): void {
    this.#setAll('want', objects)
  }

  /** All that is there. */
  haveAll({ objects, foreign, moving }: Observed): void {
    this.#setAll('have', objects)
    const links = new Map(foreign.map((link) => [linkKey(link.namespace, link.name), link]))
    for (const { key, foreign: before } of this.#entries.values()) {
      if (before !== undefined && !links.has(key)) this.setForeign(key, undefined)
    }
    for (const [key, link] of links) this.setForeign(key, link)
    this.setMoving(moving)
  }

  /** What is to be done: of everything, or (the same) of what may differ. */
  operations(everything = false): readonly Operation[] {
    const entries = everything ? this.#entries.values() : this.#affected()
    const sides = { want: new Map(), have: new Map(), foreign: new Map(), moving: this.#moving }
    this.looked = 0
    for (const { key, want, have, foreign } of entries) {
      this.looked++
      if (want !== undefined) sides.want.set(key, want)
      if (have !== undefined) sides.have.set(key, have)
      if (foreign !== undefined) sides.foreign.set(key, foreign)
    }
    const operations = this.looked === 0 ? [] : diffOf(sides)
    const before = [...this.#dirty]
    this.#dirty.clear()
    for (const { object, was } of operations) {
      this.#dirty.add(this.#entry(keyOf(object)))
      if (was !== undefined) this.#dirty.add(this.#entry(keyOf(was)))
    }
    for (const entry of before) this.#tidy(entry)
    return operations
  }

  #setAll(side: Side, objects: readonly KernelObject[]): void {
    const all = new Map(objects.map((object) => [keyOf(object), object]))
    for (const entry of this.#entries.values()) {
      if (entry[side] !== undefined && !all.has(entry.key)) this.#set(side, entry.key, undefined)
    }
    for (const [key, object] of all) this.#set(side, key, object)
  }

  #set(side: Side, key: string, object: KernelObject | undefined): void {
    const known = this.#entries.get(key)
    const before = known?.[side]
    if (same(before, object)) {
      // The newer one, so that the older can be forgotten.
      if (known !== undefined && object !== undefined) known[side] = object
      return
    }
    const entry = known ?? this.#entry(key)
    entry[side] = object
    const names = new Set([...namesIn(entry.want), ...namesIn(entry.have)])
    for (const name of namesIn(object)) this.#name(name, entry)
    for (const name of namesIn(before)) if (!names.has(name)) this.#forget(name, entry)
    if ((object ?? before)?.for.kind === 'Underlay') this.#basis.add(entry)
    if (entry.want === undefined && entry.have === undefined) this.#basis.delete(entry)
    this.#dirty.add(entry)
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const entry = { key, want: undefined, have: undefined, foreign: undefined, naming: undefined }
    this.#entries.set(key, entry)
    return entry
  }

  #name(name: string, by: Entry): void {
    const entry = this.#entry(name)
    if (entry.naming === undefined) entry.naming = by
    else if (entry.naming instanceof Set) entry.naming.add(by)
    else if (entry.naming !== by) entry.naming = new Set([entry.naming, by])
  }

  #forget(name: string, by: Entry): void {
    const entry = this.#entries.get(name)
    if (entry?.naming instanceof Set) {
      entry.naming.delete(by)
      if (entry.naming.size === 0) entry.naming = undefined
    } else if (entry?.naming === by) entry.naming = undefined
    if (entry !== undefined) this.#tidy(entry)
  }

  /** Nothing is kept of what nothing is known of. */
  #tidy(entry: Entry): void {
    const { key, want, have, foreign } = entry
    const empty = (want ?? have ?? foreign ?? entry.naming) === undefined
    if (empty && !this.#dirty.has(entry)) this.#entries.delete(key)
  }

  /** What may differ, and what must be seen with it. */
  #affected(): ReadonlySet<Entry> {
    if (this.#dirty.size === 0) return this.#dirty
    const affected = new Set(this.#dirty)
    // A Set is walked to its end, whatever is added on the way.
    for (const entry of affected) {
      for (const each of naming(entry)) affected.add(each)
      for (const claim of [...claimsOf(entry.want), ...claimsOf(entry.have)]) {
        for (const each of naming(this.#entries.get(claim))) affected.add(each)
      }
    }
    const seen = new Set([...affected, ...this.#basis])
    for (const entry of seen) {
      for (const name of this.#linksNamedBy(entry)) {
        const link = this.#entries.get(name)
        if (link !== undefined) seen.add(link)
      }
    }
    return seen
  }

  /** A NIC that is wanted comes from the host. */
  #linksNamedBy({ want, have }: Entry): string[] {
    const arriving = want?.type === 'link' && want.kind === 'nic' ? [linkKey('host', want.name)] : []
    const named = [want, have].flatMap((object) => (object === undefined ? [] : linkNames(object)))
    return [...named, ...arriving]
  }
}

function naming(entry: Entry | undefined): Iterable<Entry> {
  if (entry?.naming === undefined) return []
  return entry.naming instanceof Set ? entry.naming : [entry.naming]
}

function namesIn(object: KernelObject | undefined): string[] {
  return object === undefined ? [] : [...linkNames(object), ...claimsOf(object)]
}

/** Keys of the links an object hangs on. */
function linkNames(object: KernelObject): string[] {
  if (object.type !== 'link')
    return isSetting(object) ? [] : linksOf(object).map((name) => linkKey(object.namespace, name))
  const names = object.master === undefined ? [] : [linkKey(object.namespace, object.master)]
  if (object.kind === 'vlan') names.push(linkKey(object.namespace, object.parent))
  if (object.kind === 'veth') names.push(linkKey(object.peer.namespace, object.peer.name))
  return names
}

/** What only one object can have: who has it, or is going to, matters to the others. */
function claimsOf(object: KernelObject | undefined): string[] {
  if (object?.type === 'vlan') {
    const vlan = object.vid === 0 ? [] : [`vlan ${object.bridge} ${object.vid}`]
    return object.vni === 0 ? vlan : [...vlan, `vni ${object.vni}`]
  }
  if (object?.type === 'link' && object.kind === 'vlan') return [`vlan ${object.parent} ${object.vid}`]
  if (object?.type === 'link' && object.kind === 'vrf') return [`table ${object.table}`]
  return object?.type === 'route' && object.target.type === 'unreachable' ? [`table ${object.table}`] : []
}
