/** What nodeleaf has in the kernel: its own objects, and the names of everyone else's links. Pure. */
import type { ResourceRef } from '../../api/plan/node-plan.ts'
import type { Address } from './netlink/address.ts'
import type { Link } from './netlink/link.ts'
import type { Route } from './netlink/route.ts'
import { observedLocalRules } from './local-rule.ts'
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
import type { ForeignLink, Observed } from './observed.ts'
import { GROUP_PLUGGED, NOBODY, ownerOf, PROTOCOL } from './owner.ts'
import { routerSysctls } from './sysctls.ts'
import type { NamespaceTables, Tables } from './tables.ts'

export function observe(tables: Tables, records: ReadonlyMap<string, NicRecord>): Observed {
  const sides = { router: sideOf(tables, 'router', records), host: sideOf(tables, 'host', records) }
  const objects: KernelObject[] = []
  const foreign: ForeignLink[] = []
  const settled = new Set<string>()
  for (const side of [sides.router, sides.host]) {
    for (const link of side.links.values()) {
      const ref = side.owners.get(link.index)
      const object = ref === undefined ? undefined : linkObject(link, ref, side, sides, records)
      if (object === undefined) foreign.push({ namespace: side.namespace, name: link.name, kind: link.kind })
      else if (object.kind !== 'nic') objects.push(object)
      else if ((records.get(link.name)?.phase ?? 'inside') === 'inside') {
        objects.push(object)
        settled.add(link.name)
      }
    }
  }
  objects.push(...vlanObjects(sides.router, objects))
  const marked = [sides.router, sides.host].some(({ addresses }) =>
    [...addresses.values()].flat().some(({ protocol }) => protocol !== undefined),
  )
  for (const side of [sides.router, sides.host]) objects.push(...addressObjects(side, marked))
  objects.push(...routeObjects(tables.routes, sides.router))
  objects.push(...observedLocalRules(tables.rules, NOBODY))
  for (const sysctl of routerSysctls(NOBODY)) {
    const value = tables.sysctls.get(sysctl.path)
    if (value !== undefined) objects.push({ ...sysctl, value })
  }
  return { objects, foreign, moving: [...records.keys()].filter((name) => !settled.has(name)) }
}

interface Side extends NamespaceTables {
  readonly namespace: Namespace
  /** Of own links, by number. */
  readonly owners: ReadonlyMap<number, ResourceRef>
}

function sideOf(tables: Tables, namespace: Namespace, records: ReadonlyMap<string, NicRecord>): Side {
  const owners = new Map<number, ResourceRef>()
  for (const link of tables[namespace].links.values()) {
    const owner = ownerOf(link.alias, link.group)
    const record = namespace === 'router' ? records.get(link.name) : undefined
    if (namespace === 'router' && link.name === 'lo') owners.set(link.index, NOBODY)
    else if (record !== undefined) owners.set(link.index, owner ?? record.for)
    // A NIC on its way back may still have the alias; it is not the router's any more.
    else if (owner !== undefined && !(namespace === 'host' && isNic(link, owner))) owners.set(link.index, owner)
  }
  return { ...tables[namespace], namespace, owners }
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
      const parent = link.parentNetnsId === undefined ? side.links.get(link.parent ?? 0)?.name : undefined
      return { ...common, kind: 'vlan', parent: parent ?? '', vid: data.id }
    }
    case undefined:
      return undefined
  }
}

/** A host's end counts as plugged in only by nodeleaf: one that is left free is its user's to plug. */
function masterOf(link: Link, side: Side): { readonly master?: string } {
  if (link.master === undefined || (side.namespace === 'host' && link.group !== GROUP_PLUGGED)) return {}
  return { master: side.links.get(link.master)?.name ?? `link ${link.master}` }
}

function portOf(link: Link): BridgePort | undefined {
  const { bridgePort } = link
  if (bridgePort === undefined) return undefined
  const { learning = true, neighSuppress = false, vlanTunnel = false } = bridgePort
  return { learning, neighSuppress, vlanTunnel }
}

/** What a user does with the VLANs of a host's end is left alone. */
function vlanOf(link: Link, side: Side): { readonly vlan?: number } {
  const [first, ...more] = side.namespace === 'router' ? (side.vlans.get(link.index)?.vlans ?? []) : []
  if (first === undefined) return {}
  const alone = more.length === 0 && (first.last ?? first.vid) === first.vid
  return { vlan: alone && first.pvid === true && first.untagged === true ? first.vid : 0 }
}

/** The VLANs of all shards that there is anything of. */
function vlanObjects(side: Side, links: readonly KernelObject[]): VlanObject[] {
  const bearers = Map.groupBy(links.flatMap(bearerOf), ({ bridge }) => bridge)
  const byName = new Map([...side.links.values()].map((link) => [link.name, link]))
  const shards = new Set([...side.links.values()].flatMap(({ name }) => shardOf(name) ?? []))
  return [...shards].flatMap((number) => {
    const [bridge, vxlan] = [shardBridge(number), shardVxlan(number)]
    const [own, device] = [byName.get(bridge), byName.get(vxlan)].map((link) =>
      link !== undefined && side.owners.has(link.index) ? link : undefined,
    )
    const isPort = own !== undefined && device?.master === own.index
    const state = {
      bridge,
      vxlan,
      for: (own === undefined ? undefined : side.owners.get(own.index)) ?? NOBODY,
      port: (isPort ? side.vlans.get(device.index) : undefined) ?? { vlans: [], tunnels: [] },
      self: (own === undefined ? undefined : side.vlans.get(own.index)?.vlans) ?? [],
      filter: (device === undefined ? undefined : side.vnis.get(device.index)) ?? [],
      macs: (own === undefined ? undefined : side.ownMacs.get(own.index)) ?? [],
    }
    return observedVlans(state, bearers.get(bridge) ?? [])
  })
}

function bearerOf(object: KernelObject): (Bearer & { readonly bridge: string })[] {
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
  const there = link.parentNetnsId === undefined ? side : link.parentNetnsId === side.other ? other : undefined
  const peer = there?.links.get(link.parent ?? 0)
  return { namespace: there?.namespace ?? other.namespace, name: peer?.name ?? '' }
}

/** `marked`: whether this kernel says who made an address (IFA_PROTO); `lo` has one that says so. */
function addressObjects(side: Side, marked: boolean): AddressObject[] {
  return [...side.addresses.values()].flat().flatMap((address) => {
    const ref = side.owners.get(address.link)
    const link = side.links.get(address.link)
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
    [...side.links.values()].flatMap((link) => (link.data?.kind === 'vrf' ? [[link.data.table, link] as const] : [])),
  )
  return routes.map((route) => {
    const target = targetOf(route, side)
    const through = side.links.get(route.nexthops[0]?.link ?? 0) ?? vrfs.get(route.table)
    return {
      type: 'route',
      namespace: 'router',
      table: route.table,
      destination: route.destination,
      metric: route.metric,
      target,
      for: (through === undefined ? undefined : side.owners.get(through.index)) ?? NOBODY,
    }
  })
}

function targetOf(route: Route, side: Side): RouteObject['target'] {
  const [hop] = route.nexthops
  if (route.type !== 'unicast') return { type: 'unreachable' }
  const link = side.links.get(hop?.link ?? 0)?.name
  if (hop?.gateway === undefined) return { type: 'link', link: link ?? '' }
  return { type: 'via', gateway: hop.gateway, ...(link === undefined ? {} : { link }) }
}
