/** What the kernel has in both namespaces, in its own words: what `mirror/` keeps and `observe` makes objects of. */
import type { Address } from './netlink/address.ts'
import type { BridgeVlans } from './netlink/bridge-vlan.ts'
import type { Link } from './netlink/link.ts'
import type { Route } from './netlink/route.ts'
import type { Rule } from './netlink/rule.ts'
import type { VniRange } from './netlink/vni-filter.ts'
import type { Namespace } from './objects.ts'

/**
 * Everybody's, but for the routes. The maps go by the links' numbers. How a link or an address fares (`operstate`,
 * `carrier`, `tentative`, `flags`, lifetimes) is not kept current.
 */
export interface NamespaceTables {
  readonly links: ReadonlyMap<number, Link>
  /** The number of the link of that name. */
  index(name: string): number | undefined
  readonly addresses: ReadonlyMap<number, readonly Address[]>
  /** Of the router's bridges that filter VLANs and of their ports. A run of VLANs, or of tunnels, is one range. */
  readonly vlans: ReadonlyMap<number, BridgeVlans>
  /** Of the router's VXLAN devices with a VNI filter; without remotes. */
  readonly vnis: ReadonlyMap<number, readonly VniRange[]>
  /** Of the router's bridges that filter VLANs: what they take for their own beside their own MAC (permanent forwarding entries). */
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
