/** What scenarios assert again and again. Each waits for what should come true, and says what it saw when it does not. */
import assert from 'node:assert/strict'
import { eventually, type EventuallyOptions } from './eventually.ts'
import type { Frr } from './frr.ts'
import type { Namespace } from './namespace.ts'
import type { LabNode } from './node.ts'
import type { PingOptions } from './pinger.ts'

/** Waits until the agents have put their plan in place: every resource Ready, nothing refused, nothing wrong. */
export async function ready(nodes: readonly LabNode[], options?: EventuallyOptions): Promise<void> {
  await Promise.all(
    nodes.map((node) =>
      eventually(
        `${node.name} has what its files say`,
        async () => {
          const { revision, resources, refused, problems, problem } = await node.agent.status()
          const unready = resources.filter(({ state }) => state !== 'Ready')
          const wrong = [...unready, ...refused, ...problems, ...(problem === undefined ? [] : [problem])]
          if (wrong.length > 0) throw new Error(JSON.stringify(wrong))
          return resources.length > 0 && revision.desired !== undefined && revision.desired === revision.applied
        },
        options,
      ),
    ),
  )
}

/** That an agent has made nothing but a namespace with an idle FRR: its NIC is the host's, no link is there. */
export async function hasNoRouter(node: LabNode): Promise<void> {
  assert.notEqual(await node.link('eth1'), undefined, `${node.name} has its NIC`)
  const links = await node.router.show('link')
  assert.deepEqual(
    links.map(({ ifname }) => ifname as string).filter((name) => name !== 'lo'),
    [],
    `no links in ${node.router.name}`,
  )
  // It may just be starting.
  await eventually(`FRR in ${node.router.name} has nothing to do`, async () => {
    const { size } = await node.routerFrr.pids()
    return size === 0 || !(await node.routerFrr.running()).includes('router bgp')
  })
}

/** Waits until all addresses answer, each on its own; names all that do not. */
export async function reaches(from: Namespace, to: readonly string[], options: PingOptions = {}): Promise<void> {
  const looks = to.map((address) =>
    eventually(`${from.name} reaches ${address}`, async () => {
      const { received, text } = await from.ping(address, options)
      if (received === 0) throw new Error(text.trim())
      return true
    }),
  )
  const failures = (await Promise.allSettled(looks)).flatMap((look) =>
    look.status === 'rejected' ? [look.reason] : [],
  )
  if (failures.length === 0) return
  const messages = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)))
  throw new Error(messages.join('\n'))
}

/** That no address answers. Only worth something after `reaches` has shown that the way there was ready. */
export async function doesNotReach(from: Namespace, to: readonly string[], options: PingOptions = {}): Promise<void> {
  await Promise.all(
    to.map(async (address) => {
      const { received } = await from.ping(address, { count: 3, interval: 0.1, ...options })
      assert.equal(received, 0, `${from.name} must not reach ${address}`)
    }),
  )
}

/** Waits until an FRR has sessions with these peers. */
export async function established(frr: Frr, peers: readonly string[], vrf?: string): Promise<void> {
  await eventually(`FRR ${frr.name} has sessions with ${peers.join(', ')}`, async () => {
    const sessions = await frr.sessions(vrf)
    const missing = peers.filter((peer) => sessions.get(peer)?.state !== 'Established')
    if (missing.length > 0) {
      throw new Error(missing.map((peer) => `${peer} is ${sessions.get(peer)?.state ?? 'not there'}`).join(', '))
    }
    return true
  })
}

/** A type-5 route as FRR has it: `[5]:[0]:[32]:[10.1.1.1]`. */
export function typeFive(prefix: string): string {
  const [address = '', length = ''] = prefix.split('/')
  return `[5]:[0]:[${length}]:[${address}]`
}

/** A type-2 route as FRR has it, with the address or without: `[2]:[0]:[48]:[MAC]:[32]:[10.110.0.11]`. */
export function typeTwo(mac: string, address?: string): string {
  const bits = address?.includes(':') ? 128 : 32
  return `[2]:[0]:[48]:[${mac}]${address === undefined ? '' : `:[${bits}]:[${address}]`}`
}

/** A type-3 route as FRR has it: `[3]:[0]:[32]:[100.65.0.1]`. */
export function typeThree(vtep: string): string {
  return `[3]:[0]:[32]:[${vtep}]`
}

export interface EvpnRoute {
  readonly rd: string
  readonly nextHop: string
  readonly routerMAC?: string
  readonly communities: readonly string[]
}

/** All EVPN routes of a router by prefix; the same prefix may come with several route distinguishers. */
export async function evpnRoutes(frr: Frr): Promise<ReadonlyMap<string, readonly EvpnRoute[]>> {
  const found = new Map<string, EvpnRoute[]>()
  const shown = (await frr.bgp('show bgp l2vpn evpn route detail json')) as Record<string, unknown>
  for (const [rd, prefixes] of Object.entries(shown)) {
    if (typeof prefixes !== 'object' || prefixes === null) continue
    for (const [prefix, entry] of Object.entries(prefixes as Record<string, RouteEntry>)) {
      for (const path of (entry.paths ?? []).flat()) {
        const communities = (path.extendedCommunity?.string ?? '').split(' ')
        const mac = communities.find((text) => text.startsWith('Rmac:'))?.slice(5)
        const route = {
          rd,
          nextHop: path.nexthops?.[0]?.ip ?? '',
          communities,
          ...(mac === undefined ? {} : { routerMAC: mac }),
        }
        found.set(prefix, [...(found.get(prefix) ?? []), route])
      }
    }
  }
  return found
}

interface RouteEntry {
  readonly paths?: readonly (RoutePath | readonly RoutePath[])[]
}

interface RoutePath {
  readonly nexthops?: readonly { readonly ip?: string }[]
  readonly extendedCommunity?: { readonly string?: string }
}

/** Waits until a router has these EVPN routes from a VTEP. */
export async function hasEvpnRoutes(frr: Frr, prefixes: readonly string[], vtep: string): Promise<void> {
  await eventually(`${frr.name} has ${prefixes.join(', ')} from ${vtep}`, async () => {
    const routes = await evpnRoutes(frr)
    const missing = prefixes.filter((prefix) => !routes.get(prefix)?.some(({ nextHop }) => nextHop === vtep))
    if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`)
    return true
  })
}

/** Where a route of a VRF (or `default`) leads, as zebra installed it: `['100.65.0.2 br100']`. */
export async function nextHops(frr: Frr, prefix: string, vrf = 'default'): Promise<string[]> {
  const family = prefix.includes(':') ? 'ipv6' : 'ip'
  const shown = (await frr.zebra(`show ${family} route vrf ${vrf} ${prefix} json`)) as Record<string, ZebraRoute[]>
  return (
    (shown[prefix] ?? [])
      .filter(({ selected }) => selected)
      // zebra leaves `fib` on a next hop that went inactive with its link, when the kernel has lost it already.
      .flatMap(({ nexthops = [] }) => nexthops.filter(({ fib, active }) => fib && active))
      .map(({ ip = '', interfaceName = '' }) => `${ip} ${interfaceName}`.trim())
      .sort()
  )
}

interface ZebraRoute {
  readonly selected?: boolean
  readonly nexthops?: readonly {
    readonly active?: boolean
    readonly fib?: boolean
    readonly ip?: string
    readonly interfaceName?: string
  }[]
}
