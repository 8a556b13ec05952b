/**
 * Kernel objects as lines for `ip -batch` and `bridge -batch`: the floor, and the baseline's kernel part. Pure.
 *
 * Both send one netlink request after the other and wait for each, as the programs of others do. VLANs of a shard are
 * given as ranges where numbers follow each other.
 */
import {
  keyOf,
  type AddressObject,
  type KernelObject,
  type LinkObject,
  type VlanObject,
} from '../../agent/kernel/objects.ts'

/** One process. */
export interface Batch {
  readonly tool: 'ip' | 'bridge'
  readonly namespace: 'router' | 'host'
  readonly lines: readonly string[]
}

/** Of these those that are not among those, by their keys. */
export function without(these: readonly KernelObject[], those: readonly KernelObject[]): readonly KernelObject[] {
  const known = new Set(those.map((each) => keyOf(each)))
  return these.filter((each) => !known.has(keyOf(each)))
}

/** In the order in which zebra keeps up: it reads every port of a bridge again for each VNI that comes after them. */
export interface Making {
  /** VRFs, bridges, VXLAN devices and VLANs. */
  readonly overlay: readonly Batch[]
  /** What is plugged in, when zebra has the VNIs. */
  readonly ports: readonly Batch[]
}

/** What makes the objects. `hostPid`: of a process in the host's namespace, which gets the other ends of veths. */
export function making(objects: readonly KernelObject[], hostPid: number): Making {
  const links = (...kinds: LinkObject['kind'][]): string[] =>
    objects.flatMap((object) =>
      object.type === 'link' && object.namespace === 'router' && kinds.includes(object.kind)
        ? linkLines(object, hostPid)
        : [],
    )
  const vlans = objects.filter((object) => object.type === 'vlan')
  const ports = objects.flatMap((object) =>
    object.type === 'link' && object.kind === 'veth' && object.vlan !== undefined
      ? [`vlan add dev ${object.name} vid ${object.vlan} pvid untagged`]
      : [],
  )
  const inHost = objects.flatMap((object) =>
    object.type === 'link' && object.namespace === 'host' ? linkLines(object, hostPid) : [],
  )
  return {
    overlay: batches([
      ['ip', 'router', links('vrf', 'bridge', 'vxlan')],
      ['bridge', 'router', vlanLines(vlans, 'add')],
    ]),
    ports: batches([
      ['ip', 'router', links('veth')],
      ['bridge', 'router', ports],
      ['ip', 'router', [...links('vlan'), ...addressLines(objects, 'router', 'add')]],
      ['ip', 'host', [...inHost, ...addressLines(objects, 'host', 'add')]],
    ]),
  }
}

/** What takes them away: links take all that hangs on them along, and a veth its other end. */
export function removing(objects: readonly KernelObject[]): readonly Batch[] {
  const links = objects.flatMap((object) => (object.type === 'link' && object.namespace === 'router' ? [object] : []))
  const names = new Set(links.map(({ name }) => name))
  const bereft = objects.filter((object) => object.type === 'address' && !names.has(object.link))
  const vlans = objects.filter((object) => object.type === 'vlan' && !names.has(object.vxlan))
  const deleted = (...kinds: LinkObject['kind'][]): string[] =>
    links.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => `link del ${name}`)
  return batches([
    ['ip', 'router', addressLines(bereft, 'router', 'del')],
    // What stands on a link before it; a VRF last.
    ['ip', 'router', deleted('vlan', 'veth', 'vxlan')],
    ['bridge', 'router', vlanLines(vlans as readonly VlanObject[], 'del')],
    ['ip', 'router', deleted('bridge', 'vrf')],
  ])
}

function batches(all: readonly (readonly [Batch['tool'], Batch['namespace'], readonly string[]])[]): readonly Batch[] {
  return all.flatMap(([tool, namespace, lines]) => (lines.length === 0 ? [] : [{ tool, namespace, lines }]))
}

function addressLines(
  objects: readonly KernelObject[],
  namespace: AddressObject['namespace'],
  verb: 'add' | 'del',
): string[] {
  return objects.flatMap((object) => {
    if (object.type !== 'address' || object.namespace !== namespace) return []
    return [`addr ${verb} ${object.address} dev ${object.link}${object.noDad && verb === 'add' ? ' nodad' : ''}`]
  })
}

/** As few messages as the kernel needs: the address generation mode and a port's options count only once it is made. */
function linkLines(link: LinkObject, hostPid: number): string[] {
  const { name, mtu, mac, master, addrGenMode } = link
  const words = [
    ...(link.kind === 'vlan' ? [`link ${link.parent}`] : []),
    ...(mac === undefined ? [] : [`address ${mac}`]),
    ...(mtu === undefined ? [] : [`mtu ${mtu}`]),
    ...(master === undefined ? [] : [`master ${master}`]),
  ]
  // A veth's port is as the kernel makes it.
  const port = link.kind === 'vxlan' ? link.bridgePort : undefined
  const made = typeOf(link, hostPid)
  const later = made === undefined || addrGenMode !== undefined || port !== undefined
  const options =
    port &&
    `learning ${onOff(port.learning)} neigh_suppress ${onOff(port.neighSuppress)} vlan_tunnel ${onOff(port.vlanTunnel)}`
  return [
    ...(made === undefined
      ? []
      : [`link add name ${[name, ...words, ...(later || !link.up ? [] : ['up'])].join(' ')} ${made}`]),
    ...(made === undefined && master !== undefined ? [`link set ${name} master ${master}`] : []),
    ...(addrGenMode === undefined ? [] : [`link set ${name} addrgenmode ${addrGenMode}`]),
    ...(options === undefined ? [] : [`link set ${name} type bridge_slave ${options}`]),
    ...(later && link.up ? [`link set ${name} up`] : []),
  ]
}

/** Nothing for what is not made: a veth's other end. */
function typeOf(link: LinkObject, hostPid: number): string | undefined {
  switch (link.kind) {
    case 'vrf':
      return `type vrf table ${link.table}`
    case 'bridge': {
      const filtering = link.vlanFiltering === true ? ' vlan_filtering 1' : ''
      const pvid = link.vlanDefaultPvid === undefined ? '' : ` vlan_default_pvid ${link.vlanDefaultPvid}`
      const delay = link.forwardDelay === undefined ? '' : ` forward_delay ${link.forwardDelay}`
      const snooping = link.mcastSnooping === undefined ? '' : ` mcast_snooping ${Number(link.mcastSnooping)}`
      return `type bridge${delay}${snooping}${filtering}${pvid}`
    }
    case 'vlan':
      return `type vlan id ${link.vid}`
    case 'vxlan': {
      const carries = link.vni === undefined ? 'external vnifilter' : `id ${link.vni}`
      return `type vxlan ${carries} local ${link.local} dstport ${link.port} nolearning`
    }
    case 'veth':
      if (link.namespace === 'host') return undefined
      return `type veth peer name ${link.peer.name}${link.mtu === undefined ? '' : ` mtu ${link.mtu}`} netns ${hostPid}`
    default:
      throw new Error(`the benchmark makes no ${link.kind}`)
  }
}

function vlanLines(vlans: readonly VlanObject[], verb: 'add' | 'del'): string[] {
  const shards = Map.groupBy(vlans, ({ bridge, vxlan }) => `${bridge} ${vxlan}`)
  return [...shards].flatMap(([shard, own]) => {
    const [bridge, vxlan] = shard.split(' ')
    const sorted = own.toSorted((a, b) => a.vid - b.vid)
    const lines = [
      ...ranges(sorted, ({ vid }) => [vid]).map(([vids]) => `vlan ${verb} dev ${vxlan} vid ${vids}`),
      ...ranges(
        sorted.filter(({ self }) => self),
        ({ vid }) => [vid],
      ).map(([vids]) => `vlan ${verb} dev ${bridge} vid ${vids} self`),
      ...(verb === 'add'
        ? ranges(sorted, ({ vid, vni }) => [vid, vni]).map(
            ([vids, vnis]) => `vlan add dev ${vxlan} vid ${vids} tunnel_info id ${vnis}`,
          )
        : []),
      ...ranges(
        sorted.toSorted((a, b) => a.vni - b.vni),
        ({ vni }) => [vni],
      ).map(([vnis]) => `vni ${verb} dev ${vxlan} vni ${vnis}`),
    ]
    const macs = sorted.flatMap(({ vid, macs: all }) => all.map((mac) => [vid, mac] as const))
    const entries = macs.map(
      ([vid, mac]) => `fdb ${verb} ${mac} dev ${bridge} vlan ${vid} self${verb === 'add' ? ' permanent' : ''}`,
    )
    return verb === 'add' ? [...lines, ...entries] : [...entries, ...lines]
  })
}

/** Runs in which all numbers go up by one together, as `A-B` for each number. */
function ranges<T>(sorted: readonly T[], numbers: (of: T) => readonly number[]): readonly (readonly string[])[] {
  const runs: { readonly from: readonly number[]; to: readonly number[] }[] = []
  for (const each of sorted.map(numbers)) {
    const last = runs.at(-1)
    if (last !== undefined && each.every((value, at) => value === (last.to[at] ?? NaN) + 1)) last.to = each
    else runs.push({ from: each, to: each })
  }
  return runs.map(({ from, to }) => from.map((first, at) => (first === to[at] ? String(first) : `${first}-${to[at]}`)))
}

const onOff = (value: boolean): string => (value ? 'on' : 'off')
