/**
 * What is wanted and what is there, kept from look to look, so that the work of comparing follows what changed: `diff`
 * sees what has changed since, what had differences left, and what hangs on either. Pure but for what it keeps.
 *
 * What an operation on an object depends on is never further away than the links it hangs on and what hangs on those,
 * what else would have its VLAN, VNI or table, and the underlay, which is small and always looked at. Everything else
 * had no difference before and has none now.
 */
import { diff } from './diff.ts'
import type { KernelObject } from './objects.ts'
import { isSetting, keyOf, linkKey, linksOf } from './objects.ts'
import type { ForeignLink, Observed } from './observed.ts'
import type { Operation } from './operation.ts'
import { same } from './same.ts'

export class Comparison {
  readonly #want = new Map<string, KernelObject>()
  readonly #have = new Map<string, KernelObject>()
  readonly #foreign = new Map<string, ForeignLink>()
  #moving: readonly string[] = []
  /** Keys of what names a link or claims something, by what is named. */
  readonly #naming = new Map<string, Set<string>>()
  /** Of the underlay. */
  readonly #basis = new Set<string>()
  readonly #dirty = new Set<string>()
  /** How many objects the last comparison looked at. */
  looked = 0

  get want(): ReadonlyMap<string, KernelObject> {
    return this.#want
  }

  /** Everything that is there. */
  get observed(): Observed {
    return this.#observed(undefined)
  }

  get have(): ReadonlyMap<string, KernelObject> {
    return this.#have
  }

  /** What is wanted under the key from now on; undefined: nothing. */
  setWant(key: string, object: KernelObject | undefined): void {
    this.#set(this.#want, key, object)
  }

  /** What is there under the key now. */
  setHave(key: string, object: KernelObject | undefined): void {
    this.#set(this.#have, key, object)
  }

  /** Whose link that is not nodeleaf's has the name; `key` is that of a link. */
  setForeign(key: string, link: ForeignLink | undefined): void {
    if (same(this.#foreign.get(key), link)) return
    if (link === undefined) this.#foreign.delete(key)
    else this.#foreign.set(key, link)
    this.#dirty.add(key)
  }

  /** Names of NICs that are on their way. */
  setMoving(moving: readonly string[]): void {
    if (same(this.#moving, moving)) return
    for (const name of [...this.#moving, ...moving]) this.#dirty.add(linkKey('router', name))
    this.#moving = moving
  }

  /** What is there and names the link. */
  hanging(link: string): KernelObject[] {
    return [...(this.#naming.get(link) ?? [])].flatMap((key) => this.#have.get(key) ?? [])
  }

  /** All that is wanted. */
  wantAll(objects: readonly KernelObject[]): void {
    replaceAll(this.#want, new Map(objects.map((object) => [keyOf(object), object])), (key, object) =>
      this.setWant(key, object),
    )
  }

  /** All that is there. */
  haveAll({ objects, foreign, moving }: Observed): void {
    replaceAll(this.#have, new Map(objects.map((object) => [keyOf(object), object])), (key, object) =>
      this.setHave(key, object),
    )
    const links = new Map(foreign.map((link) => [linkKey(link.namespace, link.name), link]))
    replaceAll(this.#foreign, links, (key, link) => this.setForeign(key, link))
    this.setMoving(moving)
  }

  /** What is to be done: of everything, or (the same) of what may differ. */
  operations(everything = false): readonly Operation[] {
    const keys = everything ? undefined : this.#affected()
    this.looked = keys?.size ?? this.#want.size + this.#have.size
    const operations = keys?.size === 0 ? [] : diff(this.#pick(this.#want, keys), this.#observed(keys))
    this.#dirty.clear()
    for (const { object, was } of operations) {
      this.#dirty.add(keyOf(object))
      if (was !== undefined) this.#dirty.add(keyOf(was))
    }
    return operations
  }

  #set(side: Map<string, KernelObject>, key: string, object: KernelObject | undefined): void {
    const before = side.get(key)
    if (same(before, object)) {
      // The newer one, so that the older can be forgotten.
      if (object !== undefined) side.set(key, object)
      return
    }
    if (object === undefined) side.delete(key)
    else side.set(key, object)
    const names = new Set([this.#want.get(key), this.#have.get(key)].flatMap(namesIn))
    for (const name of namesIn(object)) this.#namingOf(name).add(key)
    for (const name of namesIn(before)) if (!names.has(name)) this.#forget(name, key)
    if ((object ?? before)?.for.kind === 'Underlay') this.#basis.add(key)
    if (object === undefined && !this.#want.has(key) && !this.#have.has(key)) this.#basis.delete(key)
    this.#dirty.add(key)
  }

  #namingOf(name: string): Set<string> {
    const naming = this.#naming.get(name) ?? new Set()
    this.#naming.set(name, naming)
    return naming
  }

  #forget(name: string, key: string): void {
    const naming = this.#naming.get(name)
    naming?.delete(key)
    if (naming?.size === 0) this.#naming.delete(name)
  }

  /** Keys of what may differ, and of what must be seen with it. */
  #affected(): ReadonlySet<string> {
    if (this.#dirty.size === 0) return this.#dirty
    const affected = new Set(this.#dirty)
    // A Set is walked to its end, whatever is added on the way.
    for (const key of affected) {
      for (const each of this.#naming.get(key) ?? []) affected.add(each)
      for (const object of [this.#want.get(key), this.#have.get(key)]) {
        for (const claim of claimsOf(object)) for (const each of this.#naming.get(claim) ?? []) affected.add(each)
      }
    }
    const seen = new Set([...affected, ...this.#basis])
    for (const key of seen) for (const name of this.#linksNamedBy(key)) seen.add(name)
    return seen
  }

  #linksNamedBy(key: string): string[] {
    return [this.#want.get(key), this.#have.get(key)].flatMap((object) =>
      object === undefined ? [] : linkNames(object),
    )
  }

  #pick(side: ReadonlyMap<string, KernelObject>, keys: ReadonlySet<string> | undefined): KernelObject[] {
    if (keys === undefined) return [...side.values()]
    return [...keys].flatMap((key) => side.get(key) ?? [])
  }

  #observed(keys: ReadonlySet<string> | undefined): Observed {
    const objects = this.#pick(this.#have, keys)
    if (keys === undefined) return { objects, foreign: [...this.#foreign.values()], moving: this.#moving }
    const foreign = new Set<ForeignLink>()
    for (const key of keys) {
      const want = this.#want.get(key)
      const arriving = want?.type === 'link' && want.kind === 'nic' ? [linkKey('host', want.name)] : []
      for (const each of [key, ...arriving]) {
        const link = this.#foreign.get(each)
        if (link !== undefined) foreign.add(link)
      }
    }
    return { objects, foreign: [...foreign], moving: this.#moving }
  }
}

function replaceAll<T>(
  side: ReadonlyMap<string, T>,
  all: ReadonlyMap<string, T>,
  set: (key: string, value: T | undefined) => void,
): void {
  for (const key of side.keys()) if (!all.has(key)) set(key, undefined)
  for (const [key, value] of all) set(key, value)
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
