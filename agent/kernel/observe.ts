/** What nodeleaf has in the kernel: its own objects, and the names of everyone else's links. Pure. */
import type { ResourceRef } from '../../api/plan/node-plan.ts'
import type { Address } from './netlink/address.ts'
import type { Link } from './netlink/link.ts'
import type { Route } from './netlink/route.ts'
import { shardBridge, shardOf, shardVxlan, vniOf, VTEP_LINK } from './names.ts'
import { observedVlans, type Bearer } from './observed-vlans.ts'
import type { NicRecord } from './nic/record.ts'
import type {
  AddressObject,
  BridgePort,
  KernelObject,
  LinkObject,
  Namespace,
  RouteObject,
  VlanObject,
} from './objects.ts'
import { linkKey } from './objects.ts'
import type { ForeignLink, Observed } from './observed.ts'
import { aliasOf, GROUP_PLUGGED, NOBODY, ownerOf, PROTOCOL } from './owner.ts'
import { routerSysctls } from './sysctls.ts'
import type { NamespaceTables, Tables } from './tables.ts'
import { observedRules } from './vrf-rules.ts'

/** `likely`: for whom a link is wanted, by its key; whoever's it is then is the very same object. */
export type Likely = (key: string) => ResourceRef | undefined

export function observe(tables: Tables, records: ReadonlyMap<string, NicRecord>, likely?: Likely): Observed {
  const view = new View(tables, records, likely)
  const objects: KernelObject[] = []
  const foreign: ForeignLink[] = []
  const settled = new Set<string>()
  for (const namespace of NAMESPACES) {
    for (const link of tables[namespace].links.values()) {
      const object = view.link(namespace, link)
      if (object === undefined) foreign.push({ namespace, name: link.name, kind: link.kind })
      else if (object.kind !== 'nic') objects.push(object)
      else if ((records.get(link.name)?.phase ?? 'inside') === 'inside') {
        objects.push(object)
        settled.add(link.name)
      }
    }
  }
  const bearers = Map.groupBy(objects.flatMap(bearerOf), ({ bridge }) => bridge)
  const shards = new Set([...tables.router.links.values()].flatMap(({ name }) => shardOf(name) ?? []))
  for (const shard of shards) objects.push(...view.vlans(shard, bearers.get(shardBridge(shard)) ?? []))
  for (const namespace of NAMESPACES) {
    for (const link of tables[namespace].addresses.keys()) objects.push(...view.addresses(namespace, link))
  }
  objects.push(...view.routes, ...view.settings)
  return { objects, foreign, moving: [...records.keys()].filter((name) => !settled.has(name)) }
}

const NAMESPACES = ['router', 'host'] as const

/** The tables in the words of objects, a link at a time. */
export class View {
  readonly #tables: Tables
  readonly #records: ReadonlyMap<string, NicRecord>
  readonly #likely: Likely
  readonly #sides: Readonly<Record<Namespace, Side>>
  #marked: boolean | undefined

  constructor(tables: Tables, records: ReadonlyMap<string, NicRecord>, likely: Likely = () => undefined) {
    this.#tables = tables
    this.#records = records
    this.#likely = likely
    const side = (namespace: Namespace): Side => ({
      namespace,
      tables: tables[namespace],
      owner: (link) => this.#owner(namespace, link),
    })
    this.#sides = { router: side('router'), host: side('host') }
  }

  #owner(namespace: Namespace, link: Link | undefined): ResourceRef | undefined {
    if (link === undefined) return undefined
    if (namespace === 'router' && link.name === 'lo') return NOBODY
    const likely = this.#likely(linkKey(namespace, link.name))
    const owner = likely !== undefined && link.alias === aliasOf(likely) ? likely : ownerOf(link.alias, link.group)
    const record = namespace === 'router' ? this.#records.get(link.name) : undefined
    if (record !== undefined) return owner ?? record.for
    // A NIC on its way back may still have the alias; it is not the router's any more.
    return owner !== undefined && namespace === 'host' && isNic(link, owner) ? undefined : owner
  }

  /** Undefined for a link of others. */
  link(namespace: Namespace, link: Link): LinkObject | undefined {
    const owner = this.#owner(namespace, link)
    return owner === undefined ? undefined : linkObject(link, owner, this.#sides[namespace], this.#sides, this.#records)
  }

  /** Those of nodeleaf on the link of that number. */
  addresses(namespace: Namespace, link: number): AddressObject[] {
    // Whether this kernel says who made an address (IFA_PROTO); `lo` has one that says so.
    this.#marked ??= NAMESPACES.some((side) => isMarked(this.#tables[side].addresses))
    return addressObjects(this.#tables[namespace].addresses.get(link) ?? [], this.#sides[namespace], this.#marked)
  }

  /** Of one shard; `bearers` are its SVIs and veths. */
  vlans(shard: number, bearers: readonly Bearer[]): VlanObject[] {
    return vlanObjects(shard, this.#sides.router, bearers)
  }

  get routes(): RouteObject[] {
    return routeObjects(this.#tables.routes, this.#sides.router)
  }

  /** Rules and sysctls. */
  get settings(): KernelObject[] {
    const sysctls = routerSysctls(NOBODY).flatMap((sysctl) => {
      const value = this.#tables.sysctls.get(sysctl.path)
      return value === undefined ? [] : [{ ...sysctl, value }]
    })
    return [...observedRules(this.#tables.rules, NOBODY), ...sysctls]
  }
}

interface Side {
  readonly namespace: Namespace
  readonly tables: NamespaceTables
  /** Undefined for a link of others, and for none. */
  readonly owner: (link: Link | undefined) => ResourceRef | undefined
}

function isMarked(all: NamespaceTables['addresses']): boolean {
  for (const addresses of all.values()) if (addresses.some(({ protocol }) => protocol !== undefined)) return true
  return false
}

/** All that an Underlay makes is the VTEP's link and the shards: what else serves it was brought. */
function isNic(link: Link, owner: ResourceRef): boolean {
  return owner.kind === 'Underlay' && owner.name !== '' && link.name !== VTEP_LINK && shardOf(link.name) === undefined
}

function linkObject(
  link: Link,
  ref: ResourceRef,
  side: Side,
  sides: Readonly<Record<Namespace, Side>>,
  records: ReadonlyMap<string, NicRecord>,
): LinkObject | undefined {
  const { namespace } = side
  const { name, up, mtu, mac, data, addrGenMode } = link
  const own = { type: 'link', namespace, name, up, for: ref } as const
  if (namespace === 'router' && name === 'lo') return { ...own, kind: 'loopback' }
  const common = {
    ...own,
    mtu,
    ...(mac === undefined ? {} : { mac }),
    ...(addrGenMode === 'eui64' || addrGenMode === 'none' ? { addrGenMode } : {}),
    ...masterOf(link, side),
  }
  if (namespace === 'router' && (records.has(name) || isNic(link, ref))) return { ...common, kind: 'nic' }
  switch (data?.kind) {
    case 'dummy':
      return { ...common, kind: 'dummy' }
    case 'vrf':
      return { ...common, kind: 'vrf', table: data.table }
    case 'bridge':
      return {
        ...common,
        kind: 'bridge',
        mcastSnooping: data.mcastSnooping ?? false,
        vlanFiltering: data.vlanFiltering ?? false,
        ...(data.vlanDefaultPvid === undefined ? {} : { vlanDefaultPvid: data.vlanDefaultPvid }),
        ...(data.forwardDelay === undefined ? {} : { forwardDelay: data.forwardDelay }),
      }
    case 'vxlan':
      return {
        ...common,
        kind: 'vxlan',
        ...(data.vniFilter === true || data.vni === undefined ? {} : { vni: data.vni }),
        local: data.local ?? '',
        port: data.port ?? 0,
        bridgePort: portOf(link) ?? { learning: true, neighSuppress: false, vlanTunnel: false },
      }
    case 'veth': {
      const port = portOf(link)
      return {
        ...common,
        kind: 'veth',
        peer: peerOf(link, side, sides),
        ...(port === undefined ? {} : { bridgePort: port }),
        ...vlanOf(link, side),
      }
    }
    case 'vlan': {
      const parent = link.parentNetnsId === undefined ? side.tables.links.get(link.parent ?? 0)?.name : undefined
      return { ...common, kind: 'vlan', parent: parent ?? '', vid: data.id }
    }
    case undefined:
      return undefined
  }
}

/** A host's end counts as plugged in only by nodeleaf: one that is left free is its user's to plug. */
function masterOf(link: Link, side: Side): { readonly master?: string } {
  if (link.master === undefined || (side.namespace === 'host' && link.group !== GROUP_PLUGGED)) return {}
  return { master: side.tables.links.get(link.master)?.name ?? `link ${link.master}` }
}

function portOf(link: Link): BridgePort | undefined {
  const { bridgePort } = link
  if (bridgePort === undefined) return undefined
  const { learning = true, neighSuppress = false, vlanTunnel = false } = bridgePort
  return { learning, neighSuppress, vlanTunnel }
}

/** What a user does with the VLANs of a host's end is left alone. */
function vlanOf(link: Link, side: Side): { readonly vlan?: number } {
  const [first, ...more] = side.namespace === 'router' ? (side.tables.vlans.get(link.index)?.vlans ?? []) : []
  if (first === undefined) return {}
  const alone = more.length === 0 && (first.last ?? first.vid) === first.vid
  return { vlan: alone && first.pvid === true && first.untagged === true ? first.vid : 0 }
}

/** The VLANs of a shard that there is anything of. */
function vlanObjects(shard: number, side: Side, bearers: readonly Bearer[]): VlanObject[] {
  const { tables } = side
  const [bridge, vxlan] = [shardBridge(shard), shardVxlan(shard)]
  const [own, device] = [bridge, vxlan].map((name) => {
    const link = tables.links.get(tables.index(name) ?? 0)
    return side.owner(link) === undefined ? undefined : link
  })
  const port = own !== undefined && device?.master === own.index ? tables.vlans.get(device.index) : undefined
  const state = {
    bridge,
    vxlan,
    for: side.owner(own) ?? NOBODY,
    port: port ?? { vlans: [], tunnels: [] },
    self: (own === undefined ? undefined : tables.vlans.get(own.index)?.vlans) ?? [],
    filter: (device === undefined ? undefined : tables.vnis.get(device.index)) ?? [],
    macs: (own === undefined ? undefined : tables.ownMacs.get(own.index)) ?? [],
  }
  return observedVlans(state, bearers)
}

/** The bridge and the VLAN that an SVI or a veth tells a VNI's place by. */
export function bearerOf(object: KernelObject): (Bearer & { readonly bridge: string })[] {
  const vni = object.type === 'link' && object.namespace === 'router' ? vniOf(object.name) : undefined
  if (object.type !== 'link' || vni === undefined) return []
  const own = { vni, for: object.for }
  if (object.kind === 'vlan') return [{ ...own, bridge: object.parent, vid: object.vid }]
  const { master: bridge, vlan: vid } = object.kind === 'veth' ? object : {}
  return bridge === undefined || vid === undefined || vid === 0 ? [] : [{ ...own, bridge, vid }]
}

function peerOf(
  link: Link,
  side: Side,
  sides: Readonly<Record<Namespace, Side>>,
): { namespace: Namespace; name: string } {
  const other = side.namespace === 'router' ? sides.host : sides.router
  const there = link.parentNetnsId === undefined ? side : link.parentNetnsId === side.tables.other ? other : undefined
  const peer = there?.tables.links.get(link.parent ?? 0)
  return { namespace: there?.namespace ?? other.namespace, name: peer?.name ?? '' }
}

function addressObjects(addresses: readonly Address[], side: Side, marked: boolean): AddressObject[] {
  return addresses.flatMap((address) => {
    const link = side.tables.links.get(address.link)
    const ref = side.owner(link)
    if (ref === undefined || link === undefined) return []
    const ours = marked ? address.protocol === PROTOCOL : isLikelyOurs(address, link, ref, side.namespace)
    if (!ours) return []
    const { peer } = address
    return [
      {
        type: 'address',
        namespace: side.namespace,
        link: link.name,
        address: address.address,
        noPrefixRoute: address.noPrefixRoute === true,
        noDad: address.noDad === true,
        ...(peer === undefined ? {} : { peer }),
        for: ref,
      },
    ]
  })
}

/** Before Linux 5.18. What lies on the host's end of a segment is never ours. */
function isLikelyOurs(address: Address, link: Link, ref: ResourceRef, namespace: Namespace): boolean {
  if (link.name === 'lo' || !address.permanent) return false
  if (namespace === 'host') return ref.kind !== 'L2VNI' && address.scope === 0
  return address.scope === 0 || address.noDad === true
}

function routeObjects(routes: readonly Route[], side: Side): RouteObject[] {
  const vrfs = new Map(
    [...side.tables.links.values()].flatMap((link) =>
      link.data?.kind === 'vrf' ? [[link.data.table, link] as const] : [],
    ),
  )
  return routes.map((route) => {
    const target = targetOf(route, side)
    const through = side.tables.links.get(route.nexthops[0]?.link ?? 0) ?? vrfs.get(route.table)
    return {
      type: 'route',
      namespace: 'router',
      table: route.table,
      destination: route.destination,
      metric: route.metric,
      target,
      for: side.owner(through) ?? NOBODY,
    }
  })
}

function targetOf(route: Route, side: Side): RouteObject['target'] {
  const [hop] = route.nexthops
  if (route.type !== 'unicast') return { type: 'unreachable' }
  const link = side.tables.links.get(hop?.link ?? 0)?.name
  if (hop?.gateway === undefined) return { type: 'link', link: link ?? '' }
  return { type: 'via', gateway: hop.gateway, ...(link === undefined ? {} : { link }) }
}
