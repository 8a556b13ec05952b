/**
 * What of the observed will still be there when the links that must go first are gone, and what stands in the way.
 *
 * Pure; the bookkeeping behind `diff`. Deleting a link takes its addresses, its routes and, for a veth, its other end
 * along; its ports are free then. A link that enters or leaves a VRF is taken down and up by the kernel
 * (drivers/net/vrf.c, cycle_netdev), which drops its routes and, whatever keep_addr_on_down says, link-local addresses.
 */
import { mustBeRemade } from './change.ts'
import type { AddressObject, KernelObject, LinkObject, Namespace, RouteObject, Stage, VlanObject } from './objects.ts'
import { isEarly, isSetting, keyOf, linkKey, linksOf } from './objects.ts'
import type { ForeignLink } from './observed.ts'
import type { Refusal } from './operation.ts'
import { partsLeft, WantedVlans } from './wanted-vlans.ts'

type Other = Exclude<KernelObject, LinkObject>

/** What is wanted, what is there, and links of others, by key; names of NICs that are on their way. */
export interface Sides {
  readonly want: ReadonlyMap<string, KernelObject>
  readonly have: ReadonlyMap<string, KernelObject>
  readonly foreign: ReadonlyMap<string, ForeignLink>
  readonly moving: readonly string[]
}

export class Surviving {
  readonly #want: ReadonlyMap<string, KernelObject>
  readonly #have: ReadonlyMap<string, KernelObject>
  readonly #foreign: ReadonlyMap<string, ForeignLink>
  readonly #moving: ReadonlySet<string>
  /** Keys of links that are deleted first. */
  readonly #gone = new Set<string>()
  /** Keys of links whose routes and link-local addresses the kernel drops on the way. */
  readonly #cycled = new Set<string>()
  /** Links that are deleted before anything else and then made again; of a veth the end to delete. */
  readonly remade: readonly LinkObject[]
  readonly vlans: WantedVlans

  constructor({ want, have, foreign, moving }: Sides) {
    this.#want = want
    this.#have = have
    this.#foreign = foreign
    this.#moving = new Set(moving)
    this.vlans = new WantedVlans(want.values())
    this.remade = this.#findRemade()
    this.#findCycled()
  }

  #findRemade(): LinkObject[] {
    const remade: LinkObject[] = []
    for (const [key, want] of this.#want) {
      if (want.type !== 'link') continue
      const have = this.#have.get(key)
      const halfThere = want.kind === 'veth' && (have === undefined) !== !this.#have.has(peerKey(want))
      if (have?.type !== 'link' || !(halfThere || mustBeRemade(want, have)) || this.#gone.has(key)) continue
      remade.push(have)
      this.#gone.add(key)
      if (have.kind === 'veth') this.#gone.add(peerKey(have))
    }
    if (remade.length === 0) return remade
    for (const [key, have] of this.#have) {
      const isSvi = have.type === 'link' && have.kind === 'vlan'
      if (isSvi && this.#gone.has(linkKey(have.namespace, have.parent))) this.#gone.add(key)
    }
    return remade.filter((have) => have.kind !== 'vlan' || !this.#gone.has(linkKey(have.namespace, have.parent)))
  }

  #findCycled(): void {
    for (const [key, have] of this.#have) {
      if (have.type !== 'link' || have.namespace === 'host') continue
      const want = this.#want.get(key)
      const master = want?.type === 'link' ? want.master : have.master
      const freed =
        have.master !== undefined && this.#gone.size > 0 && this.#gone.has(linkKey(have.namespace, have.master))
      if (master === have.master && !freed) continue
      if ([master, have.master].some((name) => this.#isVrf(name))) this.#cycled.add(key)
    }
  }

  #isVrf(name: string | undefined): boolean {
    if (name === undefined) return false
    const key = linkKey('router', name)
    return [this.#want.get(key), this.#have.get(key)].some((link) => link?.type === 'link' && link.kind === 'vrf')
  }

  /** Whether the link enters or leaves a VRF. */
  isCycled(link: LinkObject): boolean {
    return this.#cycled.size > 0 && this.#cycled.has(keyOf(link))
  }

  /** Either end of a veth that is plugged into a bridge that many VNIs share. */
  isPortOfShard(link: Extract<LinkObject, { kind: 'veth' }>): boolean {
    const end = link.namespace === 'router' ? link : this.#want.get(peerKey(link))
    return end?.type === 'link' && end.kind === 'veth' && end.vlan !== undefined
  }

  /** The link as it will be then. */
  link(key: string): LinkObject | undefined {
    const have = this.#have.get(key)
    if (have?.type !== 'link') return undefined
    if (this.#gone.size === 0) return have
    if (this.#gone.has(key)) return undefined
    if (have.master === undefined || !this.#gone.has(linkKey(have.namespace, have.master))) return have
    const { master: _, ...free } = have
    return free
  }

  other(key: string): Other | undefined {
    const have = this.#have.get(key)
    if (have?.type === 'vlan') return this.#partsLeft(have, this.#gone)
    return have === undefined || have.type === 'link' || this.#isDragged(have) ? undefined : have
  }

  #partsLeft(vlan: VlanObject, gone: ReadonlySet<string>): VlanObject | undefined {
    if (gone.size === 0) return vlan
    const [bridge = '', vxlan = ''] = linksOf(vlan).map((name) => linkKey(vlan.namespace, name))
    return partsLeft(vlan, { bridge: gone.has(bridge), vxlan: gone.has(vxlan) })
  }

  #isDragged(object: Other): boolean {
    if (this.#gone.size + this.#cycled.size === 0) return false
    const keys = linksOf(object).map((link) => linkKey(object.namespace, link))
    const ends = object.type === 'route' || (object.type === 'address' && object.address.startsWith('fe80:'))
    return keys.some((key) => this.#gone.has(key) || (ends && this.#cycled.has(key)))
  }

  /** What is left over and does not go by itself with something else. */
  unwanted(): KernelObject[] {
    const unwanted = [...this.#have].filter(([key, object]) => !isSetting(object) && !this.#want.has(key))
    const leaving = new Set<string>()
    for (const [key, link] of unwanted) {
      if (link.type !== 'link' || link.kind === 'loopback') continue
      leaving.add(key)
      if (link.kind === 'veth') leaving.add(peerKey(link))
    }
    const leavingOrGone = new Set([...leaving, ...this.#gone])
    const left = unwanted.filter(([key, object]) => {
      if (object.type === 'vlan') {
        return this.vlans.isInTheWay(object) || this.#partsLeft(object, leavingOrGone) !== undefined
      }
      if (object.type !== 'link') {
        if (isSetting(object)) return false
        return !this.#isDragged(object) && !linksOf(object).some((link) => leaving.has(linkKey(object.namespace, link)))
      }
      if (object.kind === 'loopback' || this.#gone.has(key)) return false
      return !(object.kind === 'veth' && object.namespace === 'host' && this.#have.has(peerKey(object)))
    })
    return [...left.map(([, object]) => object), ...this.#unfinished()]
  }

  /** NICs that were on their way and are wanted no more. */
  #unfinished(): LinkObject[] {
    const unwanted = [...this.#moving].filter((name) => !this.#want.has(linkKey('router', name)))
    return unwanted.map((name) => ({
      type: 'link',
      kind: 'nic',
      namespace: 'router',
      name,
      up: true,
      for: { kind: 'Underlay', name: '' },
    }))
  }

  /** A VRF's closing routes stay until it goes: until then they keep its packets in. */
  leavesWithVrf(route: RouteObject): boolean {
    if (!isClosing(route)) return false
    for (const want of this.#want.values()) {
      if (want.type === 'link' && want.kind === 'vrf' && want.table === route.table) return false
    }
    return true
  }

  /**
   * Before FRR for what lies on the underlay's links. Not for the closing routes of a VRF: zebra reads links and routes on
   * two ways, and a route that it meets before its VRF makes it keep the table twice. When the VRF goes it frees the
   * table, and dies the next time it looks into the other (FRR < 10.4, 7395e399b1 "zebra: fix table heap-after-free
   * crash"). Once FRR is configured, zebra knows the VRF; and until then the VRF is down.
   */
  stageOf(object: AddressObject | RouteObject): Stage {
    if (isClosing(object)) return 'raise'
    const early = linksOf(object).every((name) => {
      const link = this.#want.get(linkKey(object.namespace, name))
      return link?.type === 'link' && isEarly(link)
    })
    return early ? 'create' : 'raise'
  }

  /** An address leaves when FRR has let go of it, but before the same one is set anew. */
  stageOfFreeing(address: AddressObject): Stage {
    const [ip] = address.address.split('/')
    const early = [...this.#want.values()].some(
      (want) => want.type === 'address' && want.address.split('/')[0] === ip && this.stageOf(want) === 'create',
    )
    return early ? 'create' : 'raise'
  }

  /** Why a link that is not there cannot be made. */
  refusal(link: LinkObject): Refusal | undefined {
    const taken = this.#foreign.get(linkKey(link.namespace, link.name))
    const ends = link.kind === 'veth' ? this.#foreign.get(peerKey(link)) : undefined
    const foreign = taken ?? ends
    if (foreign !== undefined) return nameTaken(foreign)
    if (link.kind !== 'nic' || this.#moving.has(link.name)) return undefined
    if (this.#foreign.has(linkKey('host', link.name))) return undefined
    const message =
      `there is no NIC ${link.name} on this node: correct the name in spec.interfaces, ` +
      'or leave the node out with the nodeSelector; it is taken up when the NIC appears'
    return { reason: 'NicMissing', message, permanent: false }
  }

  /** Why a link cannot get its master: it is a user's bridge that is not there. */
  masterRefusal(link: LinkObject): Refusal | undefined {
    const { master, namespace } = link
    if (master === undefined || this.#want.has(linkKey(namespace, master))) return undefined
    const bridge = this.#foreign.get(linkKey(namespace, master))
    if (bridge?.kind === 'bridge') return undefined
    const why =
      bridge === undefined ? 'does not exist' : `is no bridge${bridge.kind === '' ? '' : ` but a ${bridge.kind}`}`
    const message =
      `${master} in the ${where(namespace)} ${why}: make the bridge, or set hostMaster.autoCreate; ` +
      `${link.name} is plugged in as soon as it is there`
    return { reason: 'MasterMissing', message, permanent: false }
  }
}

/** A VRF's unreachable default. */
export function isClosing(object: KernelObject): boolean {
  return object.type === 'route' && object.target.type === 'unreachable'
}

function peerKey(link: Extract<LinkObject, { kind: 'veth' }>): string {
  return linkKey(link.peer.namespace, link.peer.name)
}

function nameTaken(link: ForeignLink): Refusal {
  const message =
    `the ${where(link.namespace)} has a link ${link.name}${link.kind === '' ? '' : ` (${link.kind})`} that is not ` +
    `nodeleaf's: rename or delete it (ip link del ${link.name}), or choose another VNI or name`
  return { reason: 'NameTaken', message, permanent: false }
}

export function where(namespace: Namespace): string {
  return namespace === 'host' ? "host's namespace" : "router's namespace"
}
