/** What follows from a node's index, a VNI or a name: addresses, MACs and routing tables. Functions, so nobody keeps a list. */
import {
  addressAt,
  formatAddress,
  networkOf,
  parseAddress,
  parsePrefix,
  sizeOf,
  type Address,
} from '../address/prefix.ts'

/** Node `index`'s address in a pool of single addresses (VTEPs, router IDs): base + 1 + index. */
export function poolAddress(pool: string, index: number): string | undefined {
  return textAt(pool, 1n + BigInt(index))
}

/** The router's address in the network of a host session, the same on every node: base + 1. */
export function sessionRouterAddress(cidr: string): string | undefined {
  return textAt(cidr, 1n)
}

/** The host's own address: base + 2 + index; the broadcast address of an IPv4 network is not handed out. */
export function sessionHostAddress(cidr: string, index: number): string | undefined {
  const prefix = parsePrefix(cidr)
  const offset = 2n + BigInt(index)
  if (prefix?.family === 4 && offset === sizeOf(prefix) - 1n) return undefined
  return textAt(cidr, offset)
}

/** The anycast gateway's MAC, a function of the VNI: the same on every node. Locally administered; `6e:6c` is "nl". */
export function gatewayMAC(vni: number): string {
  return mac([0x02, 0x6e, 0x6c, ...bytes(vni, 3)])
}

/** The router's MAC, one a node: from the 4 bytes of an IPv4 VTEP, from a hash of the text of an IPv6 one. */
export function routerMAC(vtep: string): string {
  const address = parseAddress(vtep)
  const number = address?.family === 4 ? Number(address.value) : fnv1a(vtep)
  return mac([0x02, 0x6e, ...bytes(number, 4)])
}

/** Routing tables by VRF name, stable: 10000 + a hash; when two names meet, the later in name order moves up by one. */
export function vrfTables(names: readonly string[]): ReadonlyMap<string, number> {
  const tables = new Map<string, number>()
  const taken = new Set<number>()
  for (const name of [...new Set(names)].sort()) {
    let table = 10000 + (fnv1a(name) % 2 ** 30)
    while (taken.has(table)) table++
    taken.add(table)
    tables.set(name, table)
  }
  return tables
}

/** 32-bit FNV-1a (draft-eastlake-fnv). */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}

function textAt(cidr: string, offset: bigint): string | undefined {
  const prefix = parsePrefix(cidr)
  const address: Address | undefined = prefix && addressAt(networkOf(prefix), offset)
  return address && formatAddress(address)
}

function bytes(value: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** (count - 1 - i)) % 256)
}

function mac(octets: readonly number[]): string {
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':')
}
