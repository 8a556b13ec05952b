/** The addresses of one node, from the pools of its Underlay. */
import type { ObjectRef } from '../../api/kinds/kinds.ts'
import type { Underlay } from '../../api/kinds/underlay.ts'
import { poolAddress } from '../../api/plan/numbers.ts'
import { familyOf, isIn } from '../../api/plan/pool.ts'
import type { LedgerEntry } from './ledger.ts'
import type { Numbers } from './numbers.ts'

/** A pool that has no address for a node. */
export interface Exhausted {
  readonly node: string
  readonly underlay: ObjectRef
  readonly field: 'spec.vtep.cidrs' | 'spec.routerIDCIDR'
  readonly pool: string
}

interface Assigned {
  /** The very same object when nothing changed. */
  readonly entry: LedgerEntry
  readonly exhausted: readonly Exhausted[]
}

/**
 * What is recorded stays. What is missing is address 1 + index of the pool when nobody has it, else the first free one: so
 * pools that overlap, moved, or are smaller than the largest index serve all the nodes that they have addresses for.
 */
export function assignAddresses(entry: LedgerEntry, underlay: Underlay, numbers: Numbers): Assigned {
  const exhausted: Exhausted[] = []
  const take = (field: Exhausted['field'], pool: string): string | undefined => {
    const own = [...entry.vteps, ...(entry.routerID === undefined ? [] : [entry.routerID])]
    const wanted = [poolAddress(pool, entry.index), ...own.filter((each) => isIn(pool, each))]
    const address = numbers.takeFrom(
      pool,
      wanted.flatMap((each) => each ?? []),
      entry.node,
    )
    if (address === undefined)
      exhausted.push({ node: entry.node, underlay: { kind: 'Underlay', name: underlay.metadata.name }, field, pool })
    return address
  }
  const pools = underlay.spec.vtep?.cidrs ?? []
  const missing = pools.filter((pool) => !entry.vteps.some((vtep) => familyOf(vtep) === familyOf(pool)))
  const taken = missing.flatMap((pool) => take('spec.vtep.cidrs', pool) ?? [])
  const complete = taken.length === missing.length
  if (!complete) for (const each of taken) if (each !== entry.routerID) numbers.give(each, entry.node)
  const vteps = taken.length > 0 && complete ? inPoolOrder([...entry.vteps, ...taken], pools) : entry.vteps
  const routerID = routerIDOf({ ...entry, vteps }, underlay, (pool) => take('spec.routerIDCIDR', pool))
  if (vteps === entry.vteps && routerID === entry.routerID) return { entry: entry, exhausted }
  const { routerID: _, ...rest } = entry
  return { entry: { ...rest, vteps, ...(routerID === undefined ? {} : { routerID }) }, exhausted }
}

/** To be called for all nodes before any gets addresses: without an Underlay the addresses stay the node's, unused. */
export function settle(entry: LedgerEntry, underlay: Underlay | undefined, numbers: Numbers): LedgerEntry {
  if (!underlay) return idle(entry)
  return entry.idle ? awakened(entry, underlay, numbers) : entry
}

function idle(entry: LedgerEntry): LedgerEntry {
  return entry.idle || (entry.vteps.length === 0 && entry.routerID === undefined) ? entry : { ...entry, idle: true }
}

/** Nobody uses the addresses, so those that fit the pools count and the others are given up. */
function awakened(entry: LedgerEntry, { spec }: Underlay, numbers: Numbers): LedgerEntry {
  const vteps = entry.vteps.filter((vtep) => (spec.vtep?.cidrs ?? []).some((pool) => isIn(pool, vtep)))
  const id = entry.routerID
  const ids = spec.routerIDCIDR === undefined ? vteps : []
  const keepsID =
    id !== undefined && (ids.includes(id) || (spec.routerIDCIDR !== undefined && isIn(spec.routerIDCIDR, id)))
  const { idle: _, routerID: __, ...rest } = entry
  const awake = { ...rest, vteps, ...(keepsID ? { routerID: id } : {}) }
  for (const each of [...entry.vteps, ...(id === undefined ? [] : [id])])
    if (!vteps.includes(each) && awake.routerID !== each) numbers.give(each, entry.node)
  return awake
}

/** As in api/plan/pool.ts: a router ID that is a VTEP address gives way to a pool of router IDs. */
function routerIDOf(
  { vteps, routerID }: LedgerEntry,
  { spec }: Underlay,
  take: (pool: string) => string | undefined,
): string | undefined {
  const pool = spec.routerIDCIDR
  const derived = routerID === undefined || vteps.includes(routerID)
  if (pool === undefined) return derived ? vteps.find((vtep) => familyOf(vtep) === 4) : routerID
  if (!derived || (routerID !== undefined && isIn(pool, routerID))) return routerID
  return take(pool) ?? routerID
}

function inPoolOrder(vteps: readonly string[], pools: readonly string[]): readonly string[] {
  const place = (vtep: string): number => {
    const at = pools.findIndex((pool) => familyOf(pool) === familyOf(vtep))
    return at === -1 ? pools.length : at
  }
  return [...vteps].sort((a, b) => place(a) - place(b))
}
