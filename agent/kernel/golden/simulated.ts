/**
 * A kernel to test `diff` with: does operations on plain data, and what a kernel does besides (deleting a link takes
 * its addresses, routes and peer along, frees its ports; entering or leaving a VRF drops routes and link-local
 * addresses). It refuses what the kernel would refuse. Tests only.
 */
import type { KernelObject, LinkObject, VlanObject } from '../objects.ts'
import { isSetting, keyOf, linkKey, linksOf } from '../objects.ts'
import { partsLeft } from '../wanted-vlans.ts'
import type { Observed } from '../observed.ts'
import type { Operation } from '../operation.ts'

export class SimulatedKernel {
  readonly #objects = new Map<string, KernelObject>()

  constructor(objects: readonly KernelObject[]) {
    for (const object of objects) this.#objects.set(keyOf(object), object)
    if (!this.#objects.has(linkKey('router', 'lo'))) this.#put({ ...LOOPBACK })
  }

  get observed(): Observed {
    const foreign = ['eth1', 'eth2'].flatMap((name) =>
      this.#objects.has(linkKey('router', name)) ? [] : [{ namespace: 'host', name, kind: '' } as const],
    )
    return { objects: [...this.#objects.values()], foreign, moving: [] }
  }

  get objects(): KernelObject[] {
    return [...this.#objects.values()]
  }

  do(operation: Operation): void {
    const { object } = operation
    const key = keyOf(object)
    if (operation.refused !== undefined) throw new Error(`${operation.text}: ${operation.refused.message}`)
    if (isSetting(object)) return this.#put(object)
    if (object.type === 'link') return this.#doLink(operation, object)
    if (object.type === 'vlan') return this.#doVlan(operation, object)
    if (operation.do === 'delete') return void this.#delete(key)
    for (const link of linksOf(object)) this.#linkOf(operation, linkKey(object.namespace, link))
    if (operation.do === 'create' && this.#objects.has(key)) throw new Error(`${operation.text}: it is there`)
    if (object.type === 'address') this.#refuseSameAddress(operation)
    this.#put(object)
  }

  #doVlan(operation: Operation, vlan: VlanObject): void {
    if (operation.do === 'delete') return void this.#objects.delete(keyOf(vlan))
    for (const link of linksOf(vlan)) this.#linkOf(operation, linkKey('router', link))
    const there = this.#objects.get(keyOf(vlan))
    if ((operation.do === 'create') !== (there === undefined)) throw new Error(`${operation.text}: is it there?`)
    for (const other of this.objects) {
      if (other.type === 'vlan' && keyOf(other) !== keyOf(vlan)) {
        const same = other.bridge === vlan.bridge && (other.vid === vlan.vid || other.vni === vlan.vni)
        if (same && other.tunnel) throw new Error(`${operation.text}: ${keyOf(other)} has its tunnel`)
        if (other.filter && other.vni === vlan.vni) throw new Error(`${operation.text}: VNI in use`)
      } else if (other.type === 'link' && other.kind === 'vxlan' && other.vni === vlan.vni)
        throw new Error(`${operation.text}: zebra sees the VNI on ${other.name} too`)
    }
    this.#put(vlan)
  }

  /** `Address already in use` */
  #refuseOtherShape(operation: Operation, link: LinkObject): void {
    if (link.kind !== 'vxlan') return
    for (const other of this.objects) {
      if (other.type !== 'link' || other.kind !== 'vxlan' || (other.vni === undefined) === (link.vni === undefined))
        continue
      if (other.up) throw new Error(`${operation.text}: ${other.name} receives otherwise on its port`)
    }
  }

  #doLink(operation: Operation, link: LinkObject): void {
    const key = keyOf(link)
    const have = this.#objects.get(key)
    const hostEnd = link.kind === 'veth' && link.namespace === 'host'
    switch (operation.do) {
      case 'create': {
        if (have !== undefined && !hostEnd) throw new Error(`${operation.text}: its name is taken`)
        if (hostEnd) this.#linkOf(operation, key)
        this.#master(operation, link)
        this.#refuseSvi(operation, link)
        const later = !['dummy', 'veth', 'nic'].includes(link.kind) && link.namespace === 'router'
        this.#put(later ? { ...link, up: false } : link)
        if (link.kind === 'veth' && !hostEnd) {
          const peer = { namespace: 'router', name: link.name } as const
          this.#put({ type: 'link', kind: 'veth', ...link.peer, peer, up: false, for: link.for })
        }
        break
      }
      case 'raise':
        this.#refuseOtherShape(operation, link)
        this.#put({ ...this.#linkOf(operation, key), up: true })
        break
      case 'lower':
        this.#put({ ...this.#linkOf(operation, key), up: false })
        this.#cycle(link)
        break
      case 'change': {
        const was = this.#linkOf(operation, key)
        this.#master(operation, link)
        this.#refuseSvi(operation, link)
        this.#clamp(link)
        const enters = was.master !== link.master
        if (enters && [was.master, link.master].some((name) => this.#isVrf(name))) this.#cycle(link)
        this.#put({ ...link, up: was.up })
        break
      }
      case 'delete':
        this.#deleteLink(operation, link)
    }
  }

  #deleteLink(operation: Operation, link: LinkObject): void {
    this.#delete(keyOf(link))
    if (link.kind === 'veth') this.#objects.delete(linkKey(link.peer.namespace, link.peer.name))
    for (const object of this.objects) {
      if (object.type === 'link' && object.kind === 'vlan' && object.parent === link.name) {
        this.#deleteLink(operation, object)
      } else if (object.type === 'vlan') {
        const gone = { bridge: object.bridge === link.name, vxlan: object.vxlan === link.name }
        const left = partsLeft(object, gone)
        if (left === undefined) this.#objects.delete(keyOf(object))
        else this.#put(left)
      } else if (object.type !== 'link') {
        const on = linksOf(object).map((name) => linkKey(object.namespace, name))
        if (on.some((name) => !this.#objects.has(name))) this.#objects.delete(keyOf(object))
      } else if (object.master === link.name && object.namespace === link.namespace) {
        const { master: _, ...free } = object
        if (link.kind === 'vrf') this.#cycle(object)
        this.#put(free)
      }
    }
    if (operation.was === undefined) throw new Error(`${operation.text}: says not what was there`)
  }

  #refuseSvi(operation: Operation, link: LinkObject): void {
    if (link.kind !== 'vlan') return
    const parent = this.#linkOf(operation, linkKey('router', link.parent))
    if ((link.mtu ?? 0) > (parent.mtu ?? 0)) throw new Error(`${operation.text}: MTU ${link.mtu} above its bridge's`)
    const same = this.objects.find(
      (other) =>
        other.type === 'link' &&
        other.kind === 'vlan' &&
        other.name !== link.name &&
        other.parent === link.parent &&
        other.vid === link.vid,
    )
    if (same !== undefined) throw new Error(`${operation.text}: ${keyOf(same)} has its VLAN`)
  }

  /** SVIs follow their bridge down. */
  #clamp(bridge: LinkObject): void {
    const { mtu } = bridge
    if (bridge.kind !== 'bridge' || mtu === undefined) return
    for (const object of this.objects) {
      const above = object.type === 'link' && object.kind === 'vlan' && object.parent === bridge.name
      if (above && (object.mtu ?? 0) > mtu) this.#put({ ...object, mtu })
    }
  }

  /** Down and up again. */
  #cycle(link: LinkObject): void {
    for (const object of this.objects) {
      if (object.type === 'link' || object.type === 'vlan' || isSetting(object) || !linksOf(object).includes(link.name)) continue
      if (object.type === 'route' || object.address.startsWith('fe80:')) this.#objects.delete(keyOf(object))
    }
  }

  /** IPv6 has an address once a link, whatever its prefix length. */
  #refuseSameAddress(operation: Operation): void {
    const { object } = operation
    if (object.type !== 'address') return
    const ip = (address: string): string | undefined => address.split('/')[0]
    const same = this.objects.find(
      (other) =>
        other.type === 'address' &&
        other.link === object.link &&
        other.namespace === object.namespace &&
        ip(other.address) === ip(object.address) &&
        keyOf(other) !== keyOf(object),
    )
    if (same !== undefined) throw new Error(`${operation.text}: the address is there with another prefix length`)
  }

  #master(operation: Operation, link: LinkObject): void {
    if (link.master !== undefined) this.#linkOf(operation, linkKey(link.namespace, link.master))
  }

  #isVrf(name: string | undefined): boolean {
    const link = name === undefined ? undefined : this.#objects.get(linkKey('router', name))
    return link?.type === 'link' && link.kind === 'vrf'
  }

  #linkOf(operation: Operation, key: string): LinkObject {
    const link = this.#objects.get(key)
    if (link?.type !== 'link') throw new Error(`${operation.text}: there is no ${key}`)
    return link
  }

  #delete(key: string): void {
    if (!this.#objects.delete(key)) throw new Error(`${key} is deleted and was not there`)
  }

  #put(object: KernelObject): void {
    this.#objects.set(keyOf(object), object)
  }
}

const LOOPBACK: LinkObject = {
  type: 'link',
  kind: 'loopback',
  namespace: 'router',
  name: 'lo',
  up: false,
  for: { kind: 'Underlay', name: '' },
}
