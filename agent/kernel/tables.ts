/** What the kernel has in both namespaces, in its own words, and how it is read: what `observe` makes objects of. */
import type { Namespaces } from './namespaces.ts'
import { listAddresses, type Address } from './netlink/address.ts'
import { listBridgeVlans, type BridgeVlans } from './netlink/bridge-vlan.ts'
import { listFdb } from './netlink/fdb.ts'
import { listLinks, type Link } from './netlink/link.ts'
import type { Netlink } from './netlink/netlink.ts'
import { netnsId } from './netlink/netns.ts'
import { listRoutes, type Route } from './netlink/route.ts'
import { listRules, type Rule } from './netlink/rule.ts'
import { listVnis, type VniRange } from './netlink/vni-filter.ts'
import type { Namespace } from './objects.ts'
import { NOBODY, PROTOCOL } from './owner.ts'
import { routerSysctls } from './sysctls.ts'

/** Everybody's, but for the routes. Maps of links go by their number. */
export interface NamespaceTables {
  readonly links: ReadonlyMap<number, Link>
  readonly addresses: ReadonlyMap<number, readonly Address[]>
  /** Of bridges that filter VLANs and of their ports. A run of VLANs, or of tunnels, is one range. */
  readonly vlans: ReadonlyMap<number, BridgeVlans>
  /** Of VXLAN devices with a VNI filter. */
  readonly vnis: ReadonlyMap<number, readonly VniRange[]>
  /** Of bridges that filter VLANs: what they take for their own beside their own MAC (permanent forwarding entries). */
  readonly ownMacs: ReadonlyMap<number, readonly OwnMac[]>
  /** What `Link.parentNetnsId` calls the other namespace from here; undefined when no link leads there. */
  readonly other: number | undefined
}

export interface OwnMac {
  readonly vid: number
  readonly mac: string
}

export interface Tables {
  readonly router: NamespaceTables
  readonly host: NamespaceTables
  /** The router's that are marked as nodeleaf's. */
  readonly routes: readonly Route[]
  /** The router's, of both families. */
  readonly rules: readonly Rule[]
  /** The router's, by path: those that nodeleaf sets and this kernel has. */
  readonly sysctls: ReadonlyMap<string, string>
}

/** What became different since the tables were looked at before. A value that is unchanged is the very same object. */
export type TableChanges =
  /** Read anew: anything may be. */
  | 'everything'
  | {
      /** Names of links that appeared, went or changed, or whose addresses, VLANs or VNIs did, and of what names them. */
      readonly links: Readonly<Record<Namespace, ReadonlySet<string>>>
      readonly routes: boolean
      readonly rules: boolean
      readonly sysctls: boolean
    }

const SYSCTLS = routerSysctls(NOBODY).map(({ path }) => path)

export function readTables(namespaces: Namespaces): Tables {
  const netlink = namespaces.netlink('router')
  return {
    router: readNamespace(namespaces, 'router'),
    host: readNamespace(namespaces, 'host'),
    routes: listRoutes(netlink, { protocol: PROTOCOL }),
    rules: listRules(netlink),
    sysctls: namespaces.readSysctls('router', SYSCTLS),
  }
}

function readNamespace(namespaces: Namespaces, namespace: Namespace): NamespaceTables {
  const netlink = namespaces.netlink(namespace)
  const links = new Map(listLinks(netlink).map((link) => [link.index, link]))
  const bridges = [...links.values()].filter(({ data }) => data?.kind === 'bridge' && data.vlanFiltering === true)
  const filtering = new Set(bridges.map(({ index }) => index))
  const vlans = filtering.size === 0 ? [] : listBridgeVlans(netlink)
  const vniFilters = [...links.values()].filter(({ data }) => data?.kind === 'vxlan' && data.vniFilter === true)
  return {
    links,
    addresses: Map.groupBy(listAddresses(netlink), ({ link }) => link),
    vlans: new Map(
      vlans
        .filter(({ link }) => filtering.has(link) || filtering.has(links.get(link)?.master ?? 0))
        .map(({ link, ...of }) => [link, of]),
    ),
    ownMacs: new Map(bridges.map((bridge) => [bridge.index, readOwnMacs(netlink, bridge)])),
    vnis: new Map(vniFilters.length === 0 ? [] : listVnis(netlink).map(({ link, vnis }) => [link, vnis])),
    other: netnsId(netlink, namespaces.path(namespace === 'router' ? 'host' : 'router')),
  }
}

/** Of a bridge itself the kernel gives only what belongs to no port (br_fdb_dump). */
function readOwnMacs(netlink: Netlink, bridge: Link): OwnMac[] {
  return listFdb(netlink, { link: bridge.index }).flatMap(({ mac, vlan, state }) =>
    vlan === undefined || state !== 'permanent' || mac === bridge.mac ? [] : [{ vid: vlan, mac }],
  )
}
