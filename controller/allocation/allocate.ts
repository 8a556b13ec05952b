/** Who gets which number: pure. The same ledger, world and time give the same numbers. */
import { canonicalAddress } from '../../api/address/prefix.ts'
import type { RouterNode } from '../../api/kinds/router-node.ts'
import { address } from '../../api/kinds/scalars.ts'
import type { Labels } from '../../api/kinds/selector.ts'
import type { Underlay } from '../../api/kinds/underlay.ts'
import type { NodeFacts } from '../../api/plan/node-facts.ts'
import { compare } from '../../api/snapshot/snapshot.ts'
import { assignAddresses, settle, type Exhausted } from './addresses.ts'
import { ledgerOf, type Ledger, type LedgerEntry } from './ledger.ts'
import { Numbers } from './numbers.ts'

export interface AllocationWorld {
  readonly nodes: readonly { readonly name: string; readonly labels: Labels }[]
  /**
   * What is written in the cluster. It counts for nodes that the ledger does not know, and as long as it is there the
   * numbers in it belong to nobody else: so the RouterNode of a node that has gone has to be removed.
   */
  readonly routerNodes: readonly {
    readonly name: string
    readonly index: number
    readonly addresses?: Pick<NonNullable<RouterNode['spec']['addresses']>, 'vteps' | 'routerID'> | undefined
  }[]
  /** The Underlay that stands on a node: `FabricPlanner.underlays` knows it by name. */
  readonly underlayOf: (labels: Labels, node: string) => Underlay | undefined
  /** How long the numbers of a node that has gone belong to nobody else. */
  readonly restMs: number
}

export interface Allocation {
  /** The very object that was given when nothing changed: then there is nothing to write. */
  readonly ledger: Ledger
  /** Nodes that are there, in the order of the ledger. */
  readonly facts: readonly NodeFacts[]
  readonly exhausted: readonly Exhausted[]
  /** When the next number has rested: to be called again then. */
  readonly nextAtMs?: number
}

/** The largest index that a RouterNode can have. */
const MAX_INDEX = 16777215

export function allocate(before: Ledger, world: AllocationWorld, nowMs: number): Allocation {
  const live = new Map(world.nodes.map((node) => [node.name, node]))
  const documented = new Set(world.routerNodes.map(({ name }) => name))
  const entries = new Map<string, LedgerEntry>()
  for (const entry of before.values()) {
    const kept = live.has(entry.node) ? present(entry) : gone(entry, nowMs)
    if (live.has(entry.node) || documented.has(entry.node) || !rested(kept, nowMs, world.restMs))
      entries.set(entry.node, kept)
  }
  const numbers = new Numbers(entries.values())
  for (const entry of written(world, before))
    if (numbers.takeIndex(entry.index)) entries.set(entry.node, owned(entry, numbers))
  const fresh = [...live.keys()].filter((name) => !entries.has(name)).sort()
  for (const node of fresh) {
    const index = numbers.nextIndex(MAX_INDEX)
    if (index !== undefined) entries.set(node, { node, index, vteps: [] })
  }
  for (const entry of entries.values())
    if (!live.has(entry.node) && entry.goneSince === undefined) entries.set(entry.node, { ...entry, goneSince: nowMs })
  const underlays = new Map(world.nodes.map(({ name, labels }) => [name, world.underlayOf(labels, name)]))
  for (const [name, underlay] of underlays) {
    const entry = entries.get(name)
    if (entry) entries.set(name, settle(entry, underlay, numbers))
  }
  const exhausted: Exhausted[] = []
  for (const [name, underlay] of underlays) {
    const entry = entries.get(name)
    if (!entry || !underlay) continue
    const assigned = assignAddresses(entry, underlay, numbers)
    exhausted.push(...assigned.exhausted)
    entries.set(name, assigned.entry)
  }
  const changed = entries.size !== before.size || [...entries].some(([name, entry]) => before.get(name) !== entry)
  const ledger = changed ? ledgerOf(entries.values()) : before
  return { ledger, facts: factsOf(ledger, live, exhausted), exhausted, ...nextAt(ledger, world.restMs, nowMs) }
}

function present(entry: LedgerEntry): LedgerEntry {
  if (entry.goneSince === undefined) return entry
  const { goneSince: _, ...back } = entry
  return back
}

/** A clock that was set back begins the rest anew. */
function gone(entry: LedgerEntry, nowMs: number): LedgerEntry {
  return entry.goneSince === undefined || entry.goneSince > nowMs ? { ...entry, goneSince: nowMs } : entry
}

const rested = ({ goneSince = 0 }: LedgerEntry, nowMs: number, restMs: number): boolean => nowMs - goneSince >= restMs

/**
 * What RouterNodes say of nodes that the ledger has never heard of: by a person, or from before the ledger was lost. What
 * is no number is left out, though the API server took it: the ledger must be one that can be read.
 */
function written({ routerNodes }: AllocationWorld, before: Ledger): readonly LedgerEntry[] {
  return routerNodes
    .filter(({ name, index }) => !before.has(name) && Number.isInteger(index) && index >= 0 && index <= MAX_INDEX)
    .sort((a, b) => compare(a.name, b.name))
    .map(({ name, index, addresses }) => {
      const vteps = (addresses?.vteps ?? []).filter(isAddress).map(canonicalAddress)
      const id = addresses?.routerID
      return { node: name, index, vteps, ...(id !== undefined && isAddress(id) ? { routerID: id } : {}) }
    })
}

const isAddress = (text: string): boolean => address.safeParse(text).success

/** Takes the addresses that nobody else has. */
function owned({ routerID, ...entry }: LedgerEntry, numbers: Numbers): LedgerEntry {
  const vteps = entry.vteps.filter((each) => numbers.take(each, entry.node))
  const id = routerID !== undefined && numbers.take(routerID, entry.node) ? { routerID } : {}
  return { ...entry, vteps, ...id }
}

function factsOf(
  ledger: Ledger,
  live: ReadonlyMap<string, { readonly labels: Labels }>,
  exhausted: readonly Exhausted[],
): readonly NodeFacts[] {
  const without = Map.groupBy(exhausted, ({ node }) => node)
  return [...ledger.values()].flatMap(({ node, index, vteps, routerID, idle }): readonly NodeFacts[] => {
    const labels = live.get(node)?.labels
    if (!labels) return []
    const facts = { name: node, index, labels }
    if (idle) return [facts]
    const pools = without.get(node)?.map(({ pool }) => pool)
    return [
      { ...facts, vteps, ...(routerID === undefined ? {} : { routerID }), ...(pools ? { exhausted: pools } : {}) },
    ]
  })
}

function nextAt(ledger: Ledger, restMs: number, nowMs: number): { nextAtMs?: number } {
  let next = Infinity
  for (const { goneSince } of ledger.values())
    if (goneSince !== undefined && goneSince + restMs > nowMs) next = Math.min(next, goneSince + restMs)
  return next === Infinity ? {} : { nextAtMs: next }
}
