/** A NIC as it was on the host: what is written to disk before it moves, and what it gets back. */
import type { ResourceRef } from '../../../api/plan/node-plan.ts'
import type { AddressSpec } from '../netlink/address.ts'
import type { AddrGenMode } from '../netlink/link.ts'
import type { Nexthop, RouteSpec } from '../netlink/route.ts'
import type { NicFacts } from '../objects.ts'

export type Phase =
  /** On its way into the router. */
  | 'bringing'
  /** In the router. */
  | 'inside'
  /** On its way back. */
  | 'returning'

/** Next hops by the name of their link: the number may be another one when it comes back. */
export type RecordedRoute = Omit<RouteSpec, 'nexthops'> & {
  readonly nexthops: readonly (Omit<Nexthop, 'link'> & { readonly link?: string | undefined })[]
}

export interface NicRecord {
  readonly version: 1
  readonly phase: Phase
  /** The Underlay that wanted it. */
  readonly for: ResourceRef
  readonly name: string
  /** Of the boot it was taken in: after another one the host may have configured the NIC anew. */
  readonly bootId: string
  readonly index: number
  readonly mac?: string | undefined
  readonly permanentMac?: string | undefined
  readonly mtu: number
  readonly up: boolean
  readonly alias: string
  readonly group: number
  readonly txQueueLength?: number | undefined
  readonly addrGenMode?: AddrGenMode | undefined
  /** Name of the bridge, bond or VRF it was in. */
  readonly master?: string | undefined
  /** In the order in which they must be added to be listed as they were. */
  readonly addresses: readonly Omit<AddressSpec, 'link'>[]
  readonly routes: readonly RecordedRoute[]
  /** Settings of this link below /proc/sys/net, which end with the move. */
  readonly sysctls: Readonly<Record<string, string>>
}

/** What `desired` takes along into the router. */
export function factsOf(record: NicRecord): NicFacts {
  return {
    mtu: record.mtu,
    addresses: record.addresses
      .filter((given) => (given.scope ?? 0) === 0)
      .map(({ address, peer, noPrefixRoute }) => ({
        address,
        noPrefixRoute: noPrefixRoute === true,
        ...(peer === undefined ? {} : { peer }),
      })),
    routes: record.routes.flatMap(({ destination, metric, table, type, nexthops }) => {
      const [only] = nexthops
      const carried =
        (type ?? 'unicast') === 'unicast' &&
        table === MAIN_TABLE &&
        nexthops.length === 1 &&
        !destination.endsWith('/0')
      return carried && only?.gateway !== undefined ? [{ destination, metric: metric ?? 0, gateway: only.gateway }] : []
    }),
  }
}

const MAIN_TABLE = 254

/** What a person should know before (and after) the NIC has gone. */
export function warningsOf(record: NicRecord): string[] {
  const warnings: string[] = []
  if (record.master !== undefined) {
    warnings.push(`${record.name} was a port of ${record.master}: it leaves it, and joins it again when it comes back`)
  }
  if (record.routes.some((route) => route.destination.endsWith('/0') && route.table === MAIN_TABLE)) {
    warnings.push(`${record.name} carried the host's default route: the host is without it until the NIC comes back`)
  }
  return warnings
}
