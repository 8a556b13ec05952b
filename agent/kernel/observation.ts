/** Keeps a comparison's side of what is there current: of what the tables say changed, only that is looked at. */
import { Comparison } from './comparison.ts'
import { shardBridge, shardOf, shardVxlan } from './names.ts'
import type { NicRecord } from './nic/record.ts'
import type { KernelObject, Namespace } from './objects.ts'
import { keyOf, linkKey } from './objects.ts'
import { bearerOf, observe, View, type Likely } from './observe.ts'
import { same } from './same.ts'
import type { TableChanges, Tables } from './tables.ts'

type Changes = Exclude<TableChanges, 'everything'>
type Records = ReadonlyMap<string, NicRecord>

export class Observation {
  readonly #comparison: Comparison
  #records: Records = new Map()
  /** Keys of routes, rules and sysctls. */
  #others: ReadonlySet<string> = new Set()
  readonly #likely: Likely = (key) => this.#comparison.want(key)?.for

  constructor(comparison: Comparison) {
    this.#comparison = comparison
  }

  /** Returns whether everything was looked at. */
  take(tables: Tables, changes: TableChanges, records: Records): boolean {
    const nics = same([...this.#records], [...records])
    if (changes === 'everything' || !nics || concernsNic(changes, records)) {
      const seen = observe(tables, records, this.#likely)
      this.#comparison.haveAll(seen)
      this.#others = new Set(seen.objects.filter(isOther).map(keyOf))
      this.#records = records
      return true
    }
    const view = new View(tables, records, this.#likely)
    // Routes are their VRF's resource's.
    const hadVrf = this.#haveVrf(changes)
    const shards = new Set<number>()
    for (const namespace of ['router', 'host'] as const) {
      for (const name of changes.links[namespace]) this.#takeLink(namespace, name, tables, view, shards)
    }
    for (const shard of shards) this.#takeVlans(shard, view)
    if (hadVrf || this.#haveVrf(changes) || changes.routes || changes.rules || changes.sysctls) this.#takeOthers(view)
    return false
  }

  #takeLink(namespace: Namespace, name: string, tables: Tables, view: View, shards: Set<number>): void {
    const comparison = this.#comparison
    const key = linkKey(namespace, name)
    const index = tables[namespace].index(name)
    const link = index === undefined ? undefined : tables[namespace].links.get(index)
    const object = link === undefined ? undefined : view.link(namespace, link)
    if (namespace === 'router') {
      for (const each of [comparison.have(key), object]) for (const shard of shardsOf(each)) shards.add(shard)
      const shard = shardOf(name)
      if (shard !== undefined) shards.add(shard)
    }
    const foreign = object === undefined && link !== undefined
    comparison.setForeign(key, foreign ? { namespace, name, kind: link.kind } : undefined)
    comparison.setHave(key, object)
    const before = comparison.hanging(key).filter((each) => each.type === 'address')
    replace(comparison, before, index === undefined ? [] : view.addresses(namespace, index))
  }

  #haveVrf({ links }: Changes): boolean {
    return [...links.router].some((name) => {
      const link = this.#comparison.have(linkKey('router', name))
      return link?.type === 'link' && link.kind === 'vrf'
    })
  }

  #takeVlans(shard: number, view: View): void {
    const comparison = this.#comparison
    const bridge = comparison.hanging(linkKey('router', shardBridge(shard)))
    const vxlan = comparison.hanging(linkKey('router', shardVxlan(shard)))
    const before = [...bridge, ...vxlan].filter((each) => each.type === 'vlan')
    replace(comparison, before, view.vlans(shard, bridge.flatMap(bearerOf)))
  }

  #takeOthers(view: View): void {
    const seen = new Map([...view.routes, ...view.settings].map((object) => [keyOf(object), object]))
    for (const key of this.#others) if (!seen.has(key)) this.#comparison.setHave(key, undefined)
    for (const [key, object] of seen) this.#comparison.setHave(key, object)
    this.#others = new Set(seen.keys())
  }
}

function replace(comparison: Comparison, before: readonly KernelObject[], now: readonly KernelObject[]): void {
  const keys = new Set(now.map(keyOf))
  for (const object of before) if (!keys.has(keyOf(object))) comparison.setHave(keyOf(object), undefined)
  for (const object of now) comparison.setHave(keyOf(object), object)
}

function isOther({ type }: KernelObject): boolean {
  return type === 'route' || type === 'rule' || type === 'sysctl'
}

/** Bridges of shards that the link is an SVI or a port of. */
function shardsOf(object: KernelObject | undefined): number[] {
  if (object?.type !== 'link') return []
  const names = [object.master, object.kind === 'vlan' ? object.parent : undefined]
  return names.flatMap((name) => (name === undefined ? undefined : shardOf(name)) ?? [])
}

function concernsNic({ links }: Changes, records: Records): boolean {
  for (const name of records.keys()) if (links.router.has(name) || links.host.has(name)) return true
  return false
}
