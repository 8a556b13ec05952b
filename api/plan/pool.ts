/**
 * Which addresses of an Underlay's pools are a node's. What is recorded for the node stays, also when the pool moved away
 * from under it: a number in use never moves. What is not recorded is address 1 + index of the pool.
 */
import { canonicalAddress, contains, formatPrefix, networkOf, parseAddress, parsePrefix } from '../address/prefix.ts'
import type { Underlay } from '../kinds/underlay.ts'
import { refOf, type Violation } from '../rules/violation.ts'
import { compare } from '../snapshot/snapshot.ts'
import type { NodeFacts } from './node-facts.ts'
import { poolAddress } from './numbers.ts'
import { poolExhausted } from './refusals.ts'

const VTEP_FIELD = 'spec.vtep.cidrs'
const ROUTER_ID_FIELD = 'spec.routerIDCIDR'

export interface PoolNumbers {
  /** In the order of the pools; empty when a pool has no address for the node and none is recorded. */
  readonly vteps: readonly string[]
  /** Undefined: there is none for the node, so it can have no router. */
  readonly routerID: string | undefined
  /** Prefixes that hold the VTEP addresses of all nodes, and those recorded for this one. */
  readonly vtepPools: readonly string[]
  readonly refused: readonly Violation[]
}

export function poolNumbers(underlay: Underlay, node: NodeFacts): PoolNumbers {
  const vtep = vtepNumbers(underlay, node)
  const id = routerIDNumber(underlay, node, vtep.vteps)
  const part = id.routerID === undefined ? {} : { partial: true as const }
  const full = vtep.full.map((cidr) => ({ ...poolExhausted(refOf(underlay), VTEP_FIELD, cidr, node), ...part }))
  return {
    vteps: vtep.vteps,
    routerID: id.routerID,
    vtepPools: vtep.pools,
    refused: [...full, ...vtep.outside, ...id.refused],
  }
}

function vtepNumbers(underlay: Underlay, node: NodeFacts) {
  const pools = (underlay.spec.vtep?.cidrs ?? []).map((cidr) => ({ cidr, family: familyOf(cidr) }))
  const recorded = new Map((node.vteps ?? []).map((vtep) => [familyOf(vtep), canonicalAddress(vtep)]))
  const places = pools.map(({ cidr, family }) => ({ cidr, recorded: recorded.get(family) }))
  const orphans = [...recorded].filter(([family]) => !pools.some((pool) => pool.family === family))
  const addresses = places.map(({ cidr, recorded: own }) => own ?? derived(cidr, node))
  const full = places.find((_, at) => addresses[at] === undefined)
  const kept = orphans.map(([, address]) => address)
  const found = full && recorded.size === 0 ? [] : addresses.flatMap((each) => each ?? [])
  const outside = places.flatMap(({ cidr, recorded: own }) =>
    own !== undefined && !isIn(cidr, own) ? [[cidr, own]] : [],
  )
  const away = [...outside.map(([, own]) => own ?? ''), ...kept]
  return {
    vteps: [...found, ...kept],
    pools: [...pools.map(({ cidr }) => canonicalPrefix(cidr)), ...away.map(single)].sort(ipv4First),
    full: full ? [full.cidr] : [],
    outside: [
      ...outside.map(([cidr, own]) => poolInUse(underlay, VTEP_FIELD, cidr, own ?? '', node)),
      ...kept.map((own) => poolInUse(underlay, VTEP_FIELD, undefined, own, node)),
    ],
  }
}

/** A router ID that is a VTEP address was taken from there, so a pool that comes later replaces it. */
function routerIDNumber(underlay: Underlay, node: NodeFacts, vteps: readonly string[]) {
  const { routerIDCIDR: pool } = underlay.spec
  const borrowed = node.routerID !== undefined && (node.vteps ?? []).map(canonicalAddress).includes(node.routerID)
  const own = borrowed ? undefined : node.routerID
  if (pool === undefined) {
    const ipv4 = vteps.find((vtep) => !vtep.includes(':'))
    if (own === undefined) return { routerID: ipv4, refused: [] }
    return { routerID: own, refused: [poolInUse(underlay, ROUTER_ID_FIELD, undefined, own, node)] }
  }
  if (node.routerID !== undefined && isIn(pool, node.routerID)) return { routerID: node.routerID, refused: [] }
  if (own !== undefined) return { routerID: own, refused: [poolInUse(underlay, ROUTER_ID_FIELD, pool, own, node)] }
  const address = derived(pool, node)
  if (address !== undefined) return { routerID: address, refused: [] }
  const { routerID } = node
  const part = routerID === undefined ? {} : { partial: true as const }
  return { routerID, refused: [{ ...poolExhausted(refOf(underlay), ROUTER_ID_FIELD, pool, node), ...part }] }
}

function derived(pool: string, { index, exhausted }: NodeFacts): string | undefined {
  return exhausted?.includes(pool) ? undefined : poolAddress(pool, index)
}

function poolInUse(
  underlay: Underlay,
  field: string,
  pool: string | undefined,
  address: string,
  node: NodeFacts,
): Violation {
  return {
    object: refOf(underlay),
    reason: 'PoolInUse',
    field,
    ...(pool === undefined ? {} : { value: pool }),
    message:
      pool === undefined
        ? `node ${node.name} uses ${address}, and the pool that it came from is gone`
        : `node ${node.name} uses ${address}, which is not in ${pool}`,
    remedy: 'let the pool contain what is in use; to renumber a node, take it out of nodeSelector before',
    node: node.name,
    partial: true,
  }
}

export const familyOf = (text: string): 4 | 6 => (text.includes(':') ? 6 : 4)

export function isIn(pool: string, text: string): boolean {
  const prefix = parsePrefix(pool)
  const address = parseAddress(text)
  return prefix !== undefined && address !== undefined && contains(prefix, address)
}

const single = (address: string): string => `${address}/${familyOf(address) === 4 ? 32 : 128}`

function canonicalPrefix(text: string): string {
  const prefix = parsePrefix(text)
  return prefix ? formatPrefix(networkOf(prefix)) : text
}

const ipv4First = (a: string, b: string): number => Number(a.includes(':')) - Number(b.includes(':')) || compare(a, b)
