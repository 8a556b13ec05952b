/** The tables that a kernel with these objects would have, and what became different between two of them. Tests only. */
import type { Address } from '../netlink/address.ts'
import type { Link } from '../netlink/link.ts'
import type { LinkData } from '../netlink/link-data.ts'
import type { Route } from '../netlink/route.ts'
import type { KernelObject, LinkObject, Namespace, VlanObject } from '../objects.ts'
import { isSetting, linkKey } from '../objects.ts'
import { aliasOf, GROUP_OWNED, GROUP_PLUGGED, PROTOCOL } from '../owner.ts'
import { same } from '../same.ts'
import type { NamespaceTables, TableChanges, Tables } from '../tables.ts'

/** Numbers of links by key; the same for as long as the map is. */
export type Numbers = Map<string, number>

/** Without rules and sysctls. NICs are left out: their records say what they are. */
export function tablesOf(objects: readonly KernelObject[], numbers: Numbers): Tables {
  const number = (namespace: Namespace, name: string): number => {
    const key = linkKey(namespace, name)
    const known = numbers.get(key) ?? numbers.size + 1
    numbers.set(key, known)
    return known
  }
  const side = (namespace: Namespace): NamespaceTables => {
    const own = objects.filter((object) => object.namespace === namespace && !isSetting(object))
    const links = own.filter((object) => object.type === 'link').filter(({ kind }) => kind !== 'nic')
    const rows = links.map((link) => rowOf(link, number))
    const names = new Map(rows.map(({ name, index }) => [name, index]))
    const vlans = own.filter((object) => object.type === 'vlan')
    const addresses = own.flatMap((object) => {
      const link = object.type === 'address' ? names.get(object.link) : undefined
      if (object.type !== 'address' || link === undefined) return []
      const { address, peer, noPrefixRoute, noDad } = object
      return [{ link, address, peer, noPrefixRoute, noDad, protocol: PROTOCOL, scope: 0, permanent: true } as Address]
    })
    return {
      links: new Map(rows.map((row) => [row.index, row])),
      index: (name) => names.get(name),
      addresses: Map.groupBy(addresses, ({ link }) => link),
      ...vlanTables(vlans, links, names),
      other: 7,
    }
  }
  const [router, host] = [side('router'), side('host')]
  const routes = objects.flatMap((object) => {
    if (object.type !== 'route' || object.target.type !== 'unreachable') return []
    const { table, destination, metric } = object
    return [{ table, destination, metric, type: 'unreachable', nexthops: [], protocol: PROTOCOL } as unknown as Route]
  })
  return { router, host, routes, rules: [], sysctls: new Map() }
}

function rowOf(link: LinkObject, number: (namespace: Namespace, name: string) => number): Link {
  const { namespace, name, up, mtu = 1500, mac, master, addrGenMode } = link
  const veth = link.kind === 'veth' ? link.peer : undefined
  const parent = link.kind === 'vlan' ? number('router', link.parent) : veth && number(veth.namespace, veth.name)
  return {
    index: number(namespace, name),
    name,
    kind: link.kind,
    data: dataOf(link),
    mtu,
    mac,
    up,
    addrGenMode,
    master: master === undefined ? undefined : number(namespace, master),
    bridgePort: 'bridgePort' in link ? link.bridgePort : undefined,
    parent,
    parentNetnsId: veth === undefined || veth.namespace === namespace ? undefined : 7,
    alias: aliasOf(link.for),
    group: namespace === 'host' && master !== undefined ? GROUP_PLUGGED : GROUP_OWNED,
  } as Link
}

function dataOf(link: LinkObject): LinkData | undefined {
  switch (link.kind) {
    case 'bridge':
      return { kind: 'bridge', mcastSnooping: link.mcastSnooping, vlanFiltering: link.vlanFiltering, vlanDefaultPvid: 0, forwardDelay: link.forwardDelay }
    case 'vxlan':
      return { kind: 'vxlan', vni: link.vni, vniFilter: link.vni === undefined, local: link.local, port: link.port }
    case 'vlan':
      return { kind: 'vlan', id: link.vid }
    case 'vrf':
      return { kind: 'vrf', table: link.table }
    case 'dummy':
    case 'veth':
      return { kind: link.kind }
    default:
      return undefined
  }
}

function vlanTables(vlans: readonly VlanObject[], links: readonly LinkObject[], names: ReadonlyMap<string, number>) {
  const tables = { vlans: new Map(), vnis: new Map(), ownMacs: new Map() }
  for (const link of links) {
    const index = names.get(link.name) ?? 0
    if (link.kind === 'veth' && link.vlan !== undefined)
      tables.vlans.set(index, { vlans: [{ vid: link.vlan, pvid: true, untagged: true }], tunnels: [] })
    if (link.kind === 'bridge' && link.vlanFiltering === true) {
      const own = vlans.filter(({ bridge }) => bridge === link.name)
      tables.vlans.set(index, { vlans: own.filter(({ self }) => self).map(({ vid }) => ({ vid })), tunnels: [] })
      tables.ownMacs.set(
        index,
        own.flatMap(({ vid, macs }) => macs.map((mac) => ({ vid, mac }))),
      )
    }
    if (link.kind === 'vxlan' && link.vni === undefined) {
      const own = vlans.filter(({ vxlan }) => vxlan === link.name)
      const tunnels = own.filter(({ tunnel }) => tunnel).map(({ vid, vni }) => ({ vid, vni }))
      tables.vlans.set(index, { vlans: own.filter(({ port }) => port).map(({ vid }) => ({ vid })), tunnels })
      tables.vnis.set(
        index,
        own.filter(({ filter }) => filter).map(({ vni }) => ({ vni })),
      )
    }
  }
  return tables
}

/** As the mirror tells it. */
export function changesOf(before: Tables, after: Tables): TableChanges {
  const named = (namespace: Namespace): Set<string> => {
    const [a, b] = [before[namespace], after[namespace]]
    const names = new Set<string>()
    const touch = (index: number): void => {
      for (const { links } of [a, b]) {
        const name = links.get(index)?.name
        if (name !== undefined) names.add(name)
      }
    }
    for (const table of ['links', 'addresses', 'vlans', 'vnis', 'ownMacs'] as const) {
      for (const index of new Set([...a[table].keys(), ...b[table].keys()])) {
        if (!same(a[table].get(index), b[table].get(index))) touch(index)
      }
    }
    return names
  }
  const links = { router: named('router'), host: named('host') }
  // The other end of a veth, and the members of a master that came or went.
  for (const [namespace, other] of [['router', 'host'], ['host', 'router']] as const) {
    for (const tables of [before, after]) {
      for (const { index, name, parent, master } of tables[namespace].links.values()) {
        const peer = tables[other].links.get(parent ?? 0)
        if (links[namespace].has(name) && peer !== undefined) links[other].add(peer.name)
        const came = before[namespace].links.has(master ?? 0) !== after[namespace].links.has(master ?? 0)
        if (came && index > 0) links[namespace].add(name)
      }
    }
  }
  return { links, routes: !same(before.routes, after.routes), rules: false, sysctls: false }
}
