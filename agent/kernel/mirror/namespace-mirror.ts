/**
 * Links, addresses, VLANs and VNI filters of one namespace: read once, then kept current from what the kernel tells.
 *
 * A link's messages are only kept when they come and read when somebody looks: of the many that one change makes, the
 * last has it all. What the kernel does not tell, or not wholly, is `stale` and read anew.
 */
import { decodeAddress, isInet, listAddresses, RTM_DELADDR, RTM_NEWADDR, type Address } from '../netlink/address.ts'
import type { BridgePort } from '../netlink/bridge-port.ts'
import { decodeBridgePort, decodeBridgeVlans, listBridgeVlans, type BridgeVlans } from '../netlink/bridge-vlan.ts'
import { listFdb } from '../netlink/fdb.ts'
import { AF_BRIDGE, AF_INET6, AF_UNSPEC } from '../netlink/inet.ts'
import { getLinkRequest, listLinks, type Link } from '../netlink/link.ts'
import { decodeLink, IFF_UP, nameIn, RTM_DELLINK, RTM_NEWLINK } from '../netlink/link-message.ts'
import type { LinkData } from '../netlink/link-data.ts'
import type { Message } from '../netlink/message.ts'
import { NetlinkError } from '../netlink/netlink-error.ts'
import type { Netlink } from '../netlink/netlink.ts'
import { decodeVnis, listVnis, RTM_DELTUNNEL, RTM_NEWTUNNEL, type VniRange } from '../netlink/vni-filter.ts'
import { vniRanges } from '../ranges.ts'
import { same } from '../same.ts'
import type { NamespaceTables, OwnMac } from '../tables.ts'
import { Alike } from './alike.ts'

const RTM_NEWVLAN = 112
const RTM_DELVLAN = 113

export class NamespaceMirror implements NamespaceTables {
  readonly links = new Map<number, Link>()
  readonly addresses = new Map<number, readonly Address[]>()
  readonly vlans = new Map<number, BridgeVlans>()
  readonly vnis = new Map<number, readonly VniRange[]>()
  readonly ownMacs = new Map<number, readonly OwnMac[]>()
  other: number | undefined
  /** Names of links that became different, or what belongs to them, since `touched` was emptied. */
  readonly touched = new Set<string>()
  /** Links that were down, lost an address or went: the kernel drops IPv4 routes over them without a word. */
  readonly weakened = new Set<number>()

  /** Whether VLANs, VNI filters and own MACs are kept; nobody asks for the host's, who may have many. */
  readonly #overlay: boolean
  /** Numbers by name, and back, as of the last message. */
  readonly #indexes = new Map<string, number>()
  readonly #names = new Map<number, string>()
  /** Unread messages: of links, and of bridges' ports. */
  readonly #unread = new Map<number, Buffer>()
  readonly #unreadPorts = new Map<number, Buffer>()
  /** Ports whose last message is newer than their link's. */
  readonly #newerPorts = new Set<number>()
  readonly #staleVlans = new Set<number>()
  /** VNIs and own MACs. */
  readonly #stale = new Set<number>()
  /** Links that were given an IPv6 address: of one without DAD the kernel tells some time later (inet6_addr_add). */
  readonly #unsureAddresses = new Set<number>()
  /** Links that were changed while they were down, of which the kernel says nothing (netdev_state_change). */
  readonly #unsure = new Set<number>()
  /** What `vnis` says, one by one, and of which links it does not say it yet. */
  readonly #vniSets = new Map<number, Set<number>>()
  readonly #unsaidVnis = new Set<number>()
  /** Veths that are new or gone, or have another name or partner. */
  readonly #parted: Link[] = []
  readonly #datas = new Alike<LinkData>()
  readonly #ports = new Alike<BridgePort>()
  /** Links that are new or gone, or have another name. */
  readonly #renamed = new Set<number>()

  constructor(options: { readonly overlay: boolean }) {
    this.#overlay = options.overlay
  }

  /** One event, in the order of the kernel. Throws NetlinkError EBADMSG. */
  take({ type, body }: Message): void {
    switch (type) {
      case RTM_NEWLINK:
      case RTM_DELLINK:
        if (body[0] === AF_UNSPEC) this.#takeLink(type, body)
        else if (body[0] === AF_BRIDGE) this.#takePort(type, body)
        break
      case RTM_NEWADDR:
      case RTM_DELADDR:
        if (isInet(body)) this.#takeAddress(type, decodeAddress(body))
        break
      case RTM_NEWVLAN:
      case RTM_DELVLAN:
        // struct br_vlan_msg; of most changes the port's own message follows.
        this.#staleVlans.add(body.readUInt32LE(4))
        break
      case RTM_NEWTUNNEL:
      case RTM_DELTUNNEL: {
        const { link, vnis } = decodeVnis(body)
        this.noteVnis(type === RTM_NEWTUNNEL ? 'new' : 'del', link, numbersIn(vnis))
        break
      }
    }
  }

  /** As of the last message. */
  index(name: string): number | undefined {
    return this.#indexes.get(name)
  }

  /** As of the last message. */
  link(netlink: Netlink, name: string): Link | undefined {
    const index = this.#indexes.get(name)
    if (index === undefined) return undefined
    if (this.#unsure.has(index)) this.#refetch(netlink, [index])
    this.#readLink(index)
    return this.links.get(index)
  }

  /** A change of the link was sent, and what came of it was taken. */
  noteChange(index: number): void {
    const unread = this.#unread.get(index)
    const up = unread === undefined ? this.links.get(index)?.up : isUp(unread)
    if (up === false) this.#unsure.add(index)
  }

  noteAddress(index: number): void {
    this.#unsureAddresses.add(index)
  }

  noteVnis(change: 'new' | 'del', link: number, vnis: readonly number[]): void {
    const known = this.#vniSets.get(link) ?? new Set()
    this.#vniSets.set(link, known)
    this.#unsaidVnis.add(link)
    for (const vni of vnis) {
      if (change === 'new') known.add(vni)
      else known.delete(vni)
    }
  }

  noteMacs(change: 'new' | 'del', bridge: number, macs: readonly OwnMac[]): void {
    if (macs.length === 0) return
    const rest = (this.ownMacs.get(bridge) ?? []).filter((own) => !macs.some((other) => same(own, other)))
    this.#set(this.ownMacs, bridge, change === 'new' ? [...rest, ...macs] : rest)
  }

  /** VNIs and own MACs of the link are to be read anew. */
  distrust(link: number): void {
    this.#stale.add(link)
  }

  /** Reads everything. */
  read(netlink: Netlink): void {
    for (const table of [this.links, this.addresses, this.vlans, this.vnis, this.ownMacs]) table.clear()
    for (const table of [this.#indexes, this.#names, this.#unread, this.#unreadPorts, this.#vniSets]) table.clear()
    for (const set of [this.weakened, this.#newerPorts, this.#staleVlans, this.#unsaidVnis]) set.clear()
    for (const set of [this.#stale, this.#unsure, this.#unsureAddresses, this.#renamed]) set.clear()
    this.#parted.length = 0
    for (const each of listLinks(netlink)) {
      const link = this.#shared(each)
      this.links.set(link.index, link)
      this.#indexes.set(link.name, link.index)
      this.#names.set(link.index, link.name)
      if (!this.#overlay) continue
      if (isFiltering(link)) this.#staleVlans.add(link.index)
      if (isFiltering(link) || hasVniFilter(link)) this.#stale.add(link.index)
    }
    for (const [link, addresses] of Map.groupBy(listAddresses(netlink), (address) => address.link)) {
      this.addresses.set(link, addresses)
    }
    this.#readStale(netlink)
    this.touched.clear()
  }

  /** Reads what came and what is stale. Returns links whose other end, if it is known, may have become different. */
  settle(netlink: Netlink): readonly Link[] {
    if (this.#unsure.size > 0) this.#refetch(netlink, [...this.#unsure])
    if (this.#unsureAddresses.size > 0) this.#readAddresses(netlink)
    for (const index of this.#unread.keys()) this.#readLink(index)
    for (const index of this.#unreadPorts.keys()) this.#readPort(index)
    this.#readStale(netlink)
    this.#touchMembers()
    return this.#parted.splice(0)
  }

  /** Asks for the link itself: something happened to it that made no event. */
  refetch(netlink: Netlink, index: number): void {
    this.#refetch(netlink, [index])
    this.#readLink(index)
    this.#touchMembers()
  }

  #refetch(netlink: Netlink, indexes: readonly number[]): void {
    netlink.batch(indexes.map(getLinkRequest)).forEach((answer, at) => {
      const index = indexes[at] ?? 0
      if (answer instanceof NetlinkError) return this.#drop(index)
      for (const { body } of answer) this.#takeLink(RTM_NEWLINK, body)
    })
  }

  #readAddresses(netlink: Netlink): void {
    const links = [...this.#unsureAddresses]
    this.#unsureAddresses.clear()
    const [only] = links
    const filter = links.length === 1 && only !== undefined ? { link: only } : {}
    const found = Map.groupBy(listAddresses(netlink, filter), ({ link }) => link)
    for (const link of links) for (const address of found.get(link) ?? []) this.#takeAddress(RTM_NEWADDR, address)
  }

  #takeLink(type: number, body: Buffer): void {
    const index = body.readInt32LE(4)
    if (type === RTM_DELLINK) {
      this.#readLink(index)
      return this.#drop(index)
    }
    if (!isUp(body)) this.weakened.add(index)
    this.#unsure.delete(index)
    const name = nameIn(body)
    const before = this.#names.get(index)
    if (before !== name) {
      if (before !== undefined && this.#indexes.get(before) === index) this.#indexes.delete(before)
      this.#names.set(index, name)
      this.#indexes.set(name, index)
    }
    this.#newerPorts.delete(index)
    keep(this.#unread, index, body)
  }

  #takePort(type: number, body: Buffer): void {
    const index = body.readInt32LE(4)
    if (type === RTM_DELLINK) {
      this.#unreadPorts.delete(index)
      this.#staleVlans.add(index)
      return
    }
    this.#staleVlans.delete(index)
    this.#newerPorts.add(index)
    keep(this.#unreadPorts, index, body)
  }

  /** The address of IPv6 is one of its kind on a link, whatever its prefix and peer; IPv4 has it several times. */
  #takeAddress(type: number, address: Address): void {
    const known = this.addresses.get(address.link) ?? []
    const isIt = (other: Address): boolean =>
      other.family === address.family &&
      (address.family === AF_INET6
        ? other.address.split('/')[0] === address.address.split('/')[0]
        : other.address === address.address && other.peer === address.peer)
    const at = known.findIndex(isIt)
    if (type === RTM_DELADDR) {
      this.weakened.add(address.link)
      if (at >= 0) this.#set(this.addresses, address.link, known.toSpliced(at, 1))
    } else if (at < 0) this.#set(this.addresses, address.link, [...known, address])
    else if (!isSameAddress(known[at], address)) this.#set(this.addresses, address.link, known.with(at, address))
  }

  #readLink(index: number): void {
    const body = this.#unread.get(index)
    if (body === undefined) return
    this.#unread.delete(index)
    this.#setLink(this.#shared(decodeLink(body)))
  }

  /** The same with parts that other links have too: there are thousands, and their ports are of two or three sorts. */
  #shared(link: Link): Link {
    const { index, name, data, bridgePort } = link
    const known = this.#names.get(index)
    return {
      ...link,
      // The very text that is kept already.
      name: known === name ? known : name,
      data: data && this.#datas.one(data),
      bridgePort: bridgePort && this.#ports.one(bridgePort),
    }
  }

  #setLink(link: Link): void {
    const { index } = link
    const before = this.links.get(index)
    if (before !== undefined && isSame(before, link)) return
    this.links.set(index, link)
    this.#touch(before?.name, link.name)
    if (before?.name !== link.name) this.#renamed.add(index)
    if (link.kind === 'veth' && (before?.name !== link.name || partner(before) !== partner(link))) {
      if (before !== undefined) this.#parted.push(before)
      this.#parted.push(link)
    }
    if (isFiltering(link) && (before === undefined || !isFiltering(before) || before.mac !== link.mac)) {
      this.#stale.add(index)
    }
    if (isFiltering(link) !== (before !== undefined && isFiltering(before))) this.#refilter(index)
    if (before?.bridgePort?.vlanTunnel === true && link.bridgePort?.vlanTunnel !== true) this.#staleVlans.add(index)
    if (!this.#hasVlans(link)) this.#forget(this.vlans, index)
    else if (!this.vlans.has(index) && !this.#unreadPorts.has(index)) this.#staleVlans.add(index)
  }

  /** A bridge began, or ceased, to filter VLANs. */
  #refilter(bridge: number): void {
    if (!this.links.has(bridge)) return
    this.#staleVlans.add(bridge)
    for (const { index, master } of this.links.values()) if (master === bridge) this.#staleVlans.add(index)
  }

  #readPort(index: number): void {
    const body = this.#unreadPorts.get(index)
    this.#unreadPorts.delete(index)
    const link = this.links.get(index)
    if (body === undefined || link === undefined) return
    const bridgePort = decodeBridgePort(body)
    if (this.#newerPorts.delete(index) && bridgePort !== undefined && link.master !== undefined) {
      this.#setLink({ ...link, bridgePort: this.#ports.one(bridgePort) })
    }
    if (!this.#hasVlans(link)) return
    const { vlans, tunnels } = decodeBridgeVlans(body)
    this.#set(this.vlans, index, { vlans, tunnels })
  }

  #drop(index: number): void {
    const link = this.links.get(index)
    this.#touch(this.#names.get(index), link?.name)
    const name = this.#names.get(index)
    if (name !== undefined && this.#indexes.get(name) === index) this.#indexes.delete(name)
    for (const table of [this.#names, this.#unread, this.#unreadPorts, this.#vniSets]) table.delete(index)
    for (const set of [this.#newerPorts, this.#staleVlans, this.#stale, this.#unsure, this.#unsaidVnis])
      set.delete(index)
    for (const table of [this.addresses, this.vlans, this.vnis, this.ownMacs]) table.delete(index)
    this.weakened.add(index)
    if (link === undefined) return
    this.#renamed.add(index)
    if (link.kind === 'veth') this.#parted.push(link)
    this.links.delete(index)
  }

  #readStale(netlink: Netlink): void {
    const [stale, without] = partition([...this.#staleVlans], (index) => this.#mayHaveVlans(index))
    this.#staleVlans.clear()
    for (const index of without) this.#forget(this.vlans, index)
    if (stale.length > 0) {
      const found = new Map(listBridgeVlans(netlink).map(({ link, ...of }) => [link, of]))
      for (const index of this.links.keys()) {
        const vlans = this.#mayHaveVlans(index) ? found.get(index) : undefined
        if (vlans === undefined) this.#forget(this.vlans, index)
        else this.#set(this.vlans, index, vlans)
      }
    }
    for (const index of this.#stale) {
      const link = this.links.get(index)
      if (link === undefined || !this.#overlay) continue
      if (hasVniFilter(link)) {
        this.#vniSets.set(index, new Set(numbersIn(listVnis(netlink, { link: index })[0]?.vnis ?? [])))
        this.#unsaidVnis.add(index)
      }
      if (isFiltering(link)) this.#set(this.ownMacs, index, readOwnMacs(netlink, link))
      else this.#forget(this.ownMacs, index)
    }
    this.#stale.clear()
    for (const index of this.#unsaidVnis) this.#set(this.vnis, index, vniRanges(this.#vniSets.get(index) ?? []))
    this.#unsaidVnis.clear()
  }

  #set<T>(table: Map<number, T>, index: number, value: T): void {
    if (same(table.get(index), value)) return
    table.set(index, value)
    this.#touch(this.#names.get(index))
  }

  #forget(table: Map<number, unknown>, index: number): void {
    if (table.delete(index)) this.#touch(this.#names.get(index))
  }

  #mayHaveVlans(index: number): boolean {
    const link = this.links.get(index)
    return link !== undefined && this.#hasVlans(link)
  }

  #hasVlans(link: Link): boolean {
    if (!this.#overlay) return false
    const master = link.master === undefined ? undefined : this.links.get(link.master)
    return isFiltering(link) || (master !== undefined && isFiltering(master))
  }

  #touch(...names: readonly (string | undefined)[]): void {
    for (const name of names) if (name !== undefined) this.touched.add(name)
  }

  /** Those that say the name of a renamed link as their master's. */
  #touchMembers(): void {
    if (this.#renamed.size === 0) return
    for (const { master, name } of this.links.values()) {
      if (master !== undefined && this.#renamed.has(master)) this.touched.add(name)
    }
    this.#renamed.clear()
  }
}

function partition<T>(items: readonly T[], is: (item: T) => boolean): [T[], T[]] {
  return [items.filter(is), items.filter((item) => !is(item))]
}

/** Copies the message, into the place of the one before when it fits. */
function keep(table: Map<number, Buffer>, index: number, body: Buffer): void {
  const before = table.get(index)
  const copy = before?.length === body.length ? before : Buffer.allocUnsafe(body.length)
  body.copy(copy)
  if (copy !== before) table.set(index, copy)
}

/** Of a message of a link. */
function isUp(body: Buffer): boolean {
  return (body.readUInt32LE(8) & IFF_UP) !== 0
}

/** Where a veth's other end is. */
function partner({ parent, parentNetnsId }: Link): string {
  return `${parentNetnsId ?? ''} ${parent ?? ''}`
}

function isFiltering({ data }: Link): boolean {
  return data?.kind === 'bridge' && data.vlanFiltering === true
}

function hasVniFilter({ data }: Link): boolean {
  return data?.kind === 'vxlan' && data.vniFilter === true
}

/** Of a bridge itself the kernel gives only what belongs to no port (br_fdb_dump). */
function readOwnMacs(netlink: Netlink, bridge: Link): OwnMac[] {
  return listFdb(netlink, { link: bridge.index }).flatMap(({ mac, vlan, state }) =>
    vlan === undefined || state !== 'permanent' || mac === bridge.mac ? [] : [{ vid: vlan, mac }],
  )
}

function numbersIn(vnis: readonly VniRange[]): number[] {
  return vnis.flatMap(({ vni, last = vni }) => Array.from({ length: last - vni + 1 }, (_, at) => vni + at))
}

/** What a link is set to be, but not how it fares: its carrier comes and goes. */
const STANDING = [
  'name',
  'kind',
  'mtu',
  'mac',
  'permanentMac',
  'master',
  'parent',
  'parentNetnsId',
  'up',
  'alias',
  'group',
  'txQueueLength',
  'addrGenMode',
] as const satisfies readonly (keyof Link)[]

/** Not how far duplicate address detection is, and how long it will live. */
const STANDING_ADDRESS = [
  'address',
  'peer',
  'broadcast',
  'label',
  'scope',
  'noPrefixRoute',
  'noDad',
  'manageTemporary',
  'permanent',
  'metric',
  'protocol',
] as const satisfies readonly (keyof Address)[]

function isSameAddress(one: Address | undefined, other: Address): boolean {
  return one !== undefined && STANDING_ADDRESS.every((field) => one[field] === other[field])
}

function isSame(one: Link, other: Link): boolean {
  return (
    STANDING.every((field) => one[field] === other[field]) &&
    same(one.data, other.data) &&
    same(one.bridgePort, other.bridgePort)
  )
}
