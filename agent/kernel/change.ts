/** What differs between an object that is wanted and the one that is there, and whether the kernel can change it. Pure. */
import type { KernelObject, LinkObject } from './objects.ts'
import { sameOwner } from './owner.ts'
import { same } from './same.ts'

/** Whether nothing is to be done. A field that is not wanted in any particular way is left as it is, but for the master. */
export function satisfied(want: KernelObject, have: KernelObject): boolean {
  switch (want.type) {
    case 'link':
      return have.type === 'link' && changedFields(want, have).length === 0 && want.up === have.up
    case 'vlan':
      return have.type === 'vlan' && PARTS.every((part) => same(want[part], have[part]))
    case 'address':
      return (
        have.type === 'address' &&
        want.peer === have.peer &&
        want.noPrefixRoute === have.noPrefixRoute &&
        want.noDad === have.noDad
      )
    case 'route':
      return have.type === 'route' && same(want.target, have.target)
    case 'sysctl':
      return have.type === 'sysctl' && want.value === have.value
    case 'rule':
      return have.type === 'rule' && want.priority === have.priority
  }
}

/** What of a VLAN may differ while it is the same VLAN. */
const PARTS = ['port', 'tunnel', 'filter', 'self', 'macs', 'vxlan'] as const

export type LinkField =
  'owner' | 'mtu' | 'mac' | 'master' | 'addrGenMode' | 'bridgePort' | 'vlan' | 'bridgeOptions' | 'local'

/** The fields, but for `up`, in which a link differs and which can be changed while it stays. */
export function changedFields(want: LinkObject, have: LinkObject): LinkField[] {
  const fields: LinkField[] = []
  const differs = <T>(wanted: T | undefined, there: T | undefined): boolean =>
    wanted !== undefined && !same(wanted, there)
  if (want.kind !== 'loopback' && !sameOwner(want.for, have.for)) fields.push('owner')
  if (differs(want.mtu, have.mtu)) fields.push('mtu')
  if (differs(want.mac, have.mac)) fields.push('mac')
  if (want.kind !== 'nic' && want.master !== have.master) fields.push('master')
  if (differs(want.addrGenMode, have.addrGenMode)) fields.push('addrGenMode')
  if (want.kind === 'bridge' && have.kind === 'bridge') {
    const options = ['mcastSnooping', 'vlanFiltering', 'vlanDefaultPvid', 'forwardDelay'] as const
    if (options.some((option) => differs(want[option], have[option]))) fields.push('bridgeOptions')
  }
  if (want.kind === 'vxlan' && have.kind === 'vxlan' && want.local !== have.local) fields.push('local')
  if ((want.kind === 'vxlan' || want.kind === 'veth') && want.kind === have.kind) {
    // A port's options end with its membership.
    const there = want.master === have.master ? have.bridgePort : undefined
    if (differs(want.bridgePort, there)) fields.push('bridgePort')
  }
  if (want.kind === 'veth' && have.kind === 'veth') {
    const there = want.master === have.master ? have.vlan : undefined
    if (want.vlan !== there) fields.push('vlan')
  }
  return fields
}

/** Whether the link must be deleted and made again: what makes it what it is cannot be changed in the kernel. */
export function mustBeRemade(want: LinkObject, have: LinkObject): boolean {
  if (want.kind !== have.kind) return true
  if (want.kind === 'vrf' && have.kind === 'vrf') return want.table !== have.table
  if (want.kind === 'vlan' && have.kind === 'vlan') return want.parent !== have.parent || want.vid !== have.vid
  if (want.kind === 'veth' && have.kind === 'veth') return !same(want.peer, have.peer)
  if (want.kind === 'vxlan' && have.kind === 'vxlan') {
    // vxlan_nl2conf: "New local address family does not match old", and neither VNI nor port can change.
    return want.vni !== have.vni || want.port !== have.port || want.local.includes(':') !== have.local.includes(':')
  }
  return false
}
