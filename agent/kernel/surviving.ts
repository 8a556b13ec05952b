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
import type { ForeignLink, Observed } from './observed.ts'
import type { Refusal } from './operation.ts'
import { partsLeft, WantedVlans } from './wanted-vlans.ts'

type Other = Exclude<KernelObject, LinkObject>

export class Surviving {
  readonly #want = new Map<string, KernelObject>()
  readonly #have = new Map<string, KernelObject>()
  readonly #foreign = new Map<string, ForeignLink>()
  readonly #moving: ReadonlySet<string>
  /** Keys of links that are deleted first. */
  readonly #gone = new Set<string>()
  /** Keys of links whose routes and link-local addresses the kernel drops on the way. */
  readonly #cycled = new Set<string>()
  /** Links that are deleted before anything else and then made again; of a veth the end to delete. */
  readonly remade: readonly LinkObject[]
  readonly vlans: WantedVlans

  constructor(want: readonly KernelObject[], have: Observed) {
    for (const object of want) this.#want.set(keyOf(object), object)
    for (const object of have.objects) this.#have.set(keyOf(object), object)
    for (const link of have.foreign) this.#foreign.set(linkKey(link.namespace, link.name), link)
    this.#moving = new Set(have.moving)
    this.vlans = new WantedVlans(want)
    this.remade = this.#findRemade()
    this.#findCycled()
  }

  #links(objects: Iterable<KernelObject>): LinkObject[] {
    return [...objects].filter((object) => object.type === 'link')
  }

  #findRemade(): LinkObject[] {
    const remade: LinkObject[] = []
    for (const want of this.#links(this.#want.values())) {
      const have = this.#have.get(keyOf(want))
      const halfThere = want.kind === 'veth' && (have === undefined) !== !this.#have.has(peerKey(want))
      if (have?.type !== 'link' || !(mustBeRemade(want, have) || halfThere) || this.#gone.has(keyOf(have))) continue
      remade.push(have)
      this.#gone.add(keyOf(have))
      if (have.kind === 'veth') this.#gone.add(peerKey(have))
    }
    for (const have of this.#links(this.#have.values())) {
      if (have.kind === 'vlan' && this.#gone.has(linkKey(have.namespace, have.parent))) this.#gone.add(keyOf(have))
    }
    return remade.filter((have) => have.kind !== 'vlan' || !this.#gone.has(linkKey(have.namespace, have.parent)))
  }

  #findCycled(): void {
    for (const have of this.#links(this.#have.values())) {
      const want = this.#want.get(keyOf(have))
      const master = want?.type === 'link' ? want.master : have.master
      const freed = have.master !== undefined && this.#gone.has(linkKey(have.namespace, have.master))
      if (have.namespace === 'host' || (master === have.master && !freed)) continue
      if ([master, have.master].some((name) => this.#isVrf(name))) this.#cycled.add(keyOf(have))
    }
  }

  #isVrf(name: string | undefined): boolean {
    if (name === undefined) return false
    const key = linkKey('router', name)
    return [this.#want.get(key), this.#have.get(key)].some((link) => link?.type === 'link' && link.kind === 'vrf')
  }

  /** Whether the link enters or leaves a VRF. */
  isCycled(link: LinkObject): boolean {
    return this.#cycled.has(keyOf(link))
  }

  /** Either end of a veth that is plugged into a bridge that many VNIs share. */
  isPortOfShard(link: Extract<LinkObject, { kind: 'veth' }>): boolean {
    const end = link.namespace === 'router' ? link : this.#want.get(peerKey(link))
    return end?.type === 'link' && end.kind === 'veth' && end.vlan !== undefined
  }

  /** The link of that name as it will be then. */
  link(want: LinkObject): LinkObject | undefined {
    const have = this.#have.get(keyOf(want))
    if (have?.type !== 'link' || this.#gone.has(keyOf(have))) return undefined
    if (have.master === undefined || !this.#gone.has(linkKey(have.namespace, have.master))) return have
    const { master: _, ...free } = have
    return free
  }

  other(want: Other): Other | undefined {
    const have = this.#have.get(keyOf(want))
    if (have?.type === 'vlan') return this.#partsLeft(have, this.#gone)
    return have === undefined || have.type === 'link' || this.#isDragged(have) ? undefined : have
  }

  #partsLeft(vlan: VlanObject, gone: ReadonlySet<string>): VlanObject | undefined {
    const [bridge = '', vxlan = ''] = linksOf(vlan).map((name) => linkKey(vlan.namespace, name))
    return partsLeft(vlan, { bridge: gone.has(bridge), vxlan: gone.has(vxlan) })
  }

  #isDragged(object: Other): boolean {
    const keys = linksOf(object).map((link) => linkKey(object.namespace, link))
    const ends = object.type === 'route' || (object.type === 'address' && object.address.startsWith('fe80:'))
    return keys.some((key) => this.#gone.has(key) || (ends && this.#cycled.has(key)))
  }

  /** What is left over and does not go by itself with something else. */
  unwanted(): KernelObject[] {
    const leaving = new Set(
      this.#links(this.#have.values())
        .filter((link) => link.kind !== 'loopback' && !this.#want.has(keyOf(link)))
        .flatMap((link) => (link.kind === 'veth' ? [keyOf(link), peerKey(link)] : [keyOf(link)])),
    )
    const leavingOrGone = new Set([...leaving, ...this.#gone])
    const left = [...this.#have.values()].filter((object) => {
      if (isSetting(object) || this.#want.has(keyOf(object))) return false
      if (object.type === 'vlan') {
        return this.vlans.isInTheWay(object) || this.#partsLeft(object, leavingOrGone) !== undefined
      }
      if (object.type !== 'link') {
        return !this.#isDragged(object) && !linksOf(object).some((link) => leaving.has(linkKey(object.namespace, link)))
      }
      if (object.kind === 'loopback' || this.#gone.has(keyOf(object))) return false
      // An SVI goes with its bridge.
      if (object.kind === 'vlan' && leaving.has(linkKey(object.namespace, object.parent))) return false
      return !(object.kind === 'veth' && object.namespace === 'host' && this.#have.has(peerKey(object)))
    })
    return [...left, ...this.#unfinished()]
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
    const tables = this.#links(this.#want.values()).flatMap((link) => (link.kind === 'vrf' ? [link.table] : []))
    return isClosing(route) && !tables.includes(route.table)
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
