/** Does one operation: the thin part, all decisions were `diff`'s. */
import { changedFields, type LinkField } from './change.ts'
import { KernelError } from './kernel-error.ts'
import type { Namespaces } from './namespaces.ts'
import { deleteAddress, replaceAddress } from './netlink/address.ts'
import { addLink, changeLink, deleteLink, getLink, type Link, type LinkChange } from './netlink/link.ts'
import type { LinkData } from './netlink/link-data.ts'
import { AF_INET, AF_INET6 } from './netlink/inet.ts'
import { NetlinkError } from './netlink/netlink-error.ts'
import { RT_TABLE_LOCAL, addRoute, deleteRoute, listRoutes, replaceRoute, type RouteSpec } from './netlink/route.ts'
import { addRule, deleteRule, listRules } from './netlink/rule.ts'
import { warningsOf } from './nic/record.ts'
import type { NicMover } from './nic/move.ts'
import type { AddressObject, LinkObject, LocalRuleObject, Namespace, RouteObject } from './objects.ts'
import type { Operation } from './operation.ts'
import { aliasOf, GROUP_OWNED, GROUP_PLUGGED, ownerOf, PROTOCOL } from './owner.ts'
import { isLocalRule } from './local-rule.ts'
import { where } from './surviving.ts'
import { tolerate } from './tolerate.ts'

const LINK_SCOPE = 253

/** Returns what a person should know. Throws KernelError, NetlinkError, and errors of node:fs. */
export function perform(operation: Operation, namespaces: Namespaces, nics: NicMover): readonly string[] {
  const { object } = operation
  switch (object.type) {
    case 'link':
      if (object.kind === 'nic' && operation.do === 'create') return warningsOf(nics.bring(object))
      if (object.kind === 'nic' && operation.do === 'delete') nics.giveBack(object.name)
      else performLink(operation, object, namespaces)
      break
    case 'address':
      performAddress(operation, object, namespaces)
      break
    case 'route':
      performRoute(operation, object, namespaces)
      break
    case 'rule':
      performRule(object, namespaces)
      break
    case 'sysctl':
      namespaces.writeSysctl(object.namespace, object.path, object.value)
      break
  }
  return []
}

function performLink(operation: Operation, link: LinkObject, namespaces: Namespaces): void {
  const netlink = namespaces.netlink(link.namespace)
  switch (operation.do) {
    case 'create':
      if (link.kind === 'veth' && link.namespace === 'host') configure(link, ALL_OF_AN_END, namespaces)
      else create(link, namespaces)
      break
    case 'change': {
      const was = operation.was
      configure(link, was?.type === 'link' ? changedFields(link, was) : [], namespaces)
      break
    }
    case 'raise':
    case 'lower':
      changeLink(netlink, theLink(link.namespace, link.name, namespaces).index, { up: operation.do === 'raise' })
      break
    case 'delete': {
      const there = getLink(netlink, link.name)
      if (there !== undefined && ownerOf(there.alias, there.group) !== undefined)
        tolerate(['ENODEV'], () => deleteLink(netlink, there.index))
      break
    }
  }
}

const ALL_OF_AN_END: readonly LinkField[] = ['owner', 'mtu', 'master', 'addrGenMode', 'bridgePort']

function create(link: LinkObject, namespaces: Namespaces): void {
  const data = dataOf(link)
  if (data === undefined) throw new Error(`a ${link.kind} is not made`)
  // A bridge follows the MTUs of its ports until it is told one (br_mtu_auto_adjust): told later, it keeps it.
  const late = link.kind === 'bridge' ? link.mtu : undefined
  const upNow = link.kind === 'dummy' || link.kind === 'veth' || (link.kind === 'bridge' && link.namespace === 'host')
  try {
    const made = addLink(namespaces.netlink(link.namespace), {
      name: link.name,
      data,
      mtu: late === undefined ? link.mtu : undefined,
      mac: link.mac,
      group: GROUP_OWNED,
      alias: aliasOf(link.for),
      master: masterIndex(link, namespaces),
      addrGenMode: link.addrGenMode,
      bridgePort: 'bridgePort' in link ? link.bridgePort : undefined,
      up: upNow ? link.up : undefined,
      peer:
        link.kind !== 'veth'
          ? undefined
          : {
              name: link.peer.name,
              mtu: link.mtu,
              group: GROUP_OWNED,
              netns: namespaces.path(link.peer.namespace),
            },
    })
    if (late !== undefined) changeLink(namespaces.netlink(link.namespace), made.index, { mtu: late })
  } catch (cause) {
    if (!(cause instanceof NetlinkError) || cause.code !== 'EEXIST') throw cause
    const message =
      `${link.kind} ${link.name} cannot be made in the ${where(link.namespace)}: another link has its name` +
      `${link.kind === 'vxlan' ? ' or its VNI' : ''} (${cause.extack ?? cause.code}); delete that one, or choose another`
    throw new KernelError('NameTaken', message, { cause })
  }
}

/** Sets the fields given, and brings the host's end of a new veth up. */
function configure(link: LinkObject, fields: readonly LinkField[], namespaces: Namespaces): void {
  const has = (field: LinkField): boolean => fields.includes(field)
  const master = has('master') ? (masterIndex(link, namespaces) ?? 0) : undefined
  const plugged = has('master') && link.namespace === 'host'
  const change: LinkChange = {
    alias: has('owner') ? aliasOf(link.for) : undefined,
    mtu: has('mtu') ? link.mtu : undefined,
    mac: has('mac') ? link.mac : undefined,
    master,
    group: plugged ? (link.master === undefined ? GROUP_OWNED : GROUP_PLUGGED) : undefined,
    addrGenMode: has('addrGenMode') ? link.addrGenMode : undefined,
    bridgePort: has('bridgePort') && 'bridgePort' in link ? link.bridgePort : undefined,
    up: fields === ALL_OF_AN_END ? link.up : undefined,
  }
  const netlink = namespaces.netlink(link.namespace)
  const { index } = theLink(link.namespace, link.name, namespaces)
  // On its own: with it, a VXLAN device refuses another MTU ("Cannot change mtu").
  if (has('local') || has('bridgeOptions')) changeLink(netlink, index, { data: changeableData(link) })
  changeLink(netlink, index, change)
}

function dataOf(link: LinkObject): LinkData | undefined {
  switch (link.kind) {
    case 'dummy':
    case 'veth':
      return { kind: link.kind }
    case 'vrf':
      return { kind: 'vrf', table: link.table }
    case 'bridge':
      return { kind: 'bridge', mcastSnooping: link.mcastSnooping }
    case 'vxlan':
      return { kind: 'vxlan', vni: link.vni, local: link.local, port: link.port, learning: false }
    case 'loopback':
    case 'nic':
      return undefined
  }
}

/** The kernel refuses a change that as much as names the VNI or the port ("Cannot change port"). */
function changeableData(link: LinkObject): LinkData | undefined {
  return link.kind === 'vxlan' ? { kind: 'vxlan', local: link.local } : dataOf(link)
}

function masterIndex(link: LinkObject, namespaces: Namespaces): number | undefined {
  return link.master === undefined ? undefined : theLink(link.namespace, link.master, namespaces).index
}

function theLink(namespace: Namespace, name: string, namespaces: Namespaces): Link {
  const link = getLink(namespaces.netlink(namespace), name)
  if (link === undefined) throw new KernelError('Waiting', `there is no link ${name} in the ${where(namespace)} now`)
  return link
}

function performAddress(operation: Operation, object: AddressObject, namespaces: Namespaces): void {
  const netlink = namespaces.netlink(object.namespace)
  const { address, peer, noPrefixRoute, noDad } = object
  if (operation.do === 'delete') {
    const link = getLink(netlink, object.link)?.index
    if (link !== undefined) tolerate(['EADDRNOTAVAIL', 'ENODEV'], () => deleteAddress(netlink, { link, address, peer }))
    return
  }
  const link = theLink(object.namespace, object.link, namespaces).index
  const scope = address.startsWith('fe80:') ? LINK_SCOPE : 0
  replaceAddress(netlink, { link, address, peer, noPrefixRoute, noDad, scope, protocol: PROTOCOL })
}

function performRoute(operation: Operation, object: RouteObject, namespaces: Namespaces): void {
  const netlink = namespaces.netlink(object.namespace)
  const { destination, table, metric } = object
  const key = { destination, table, metric, protocol: PROTOCOL }
  if (operation.do === 'delete') {
    tolerate(['ESRCH', 'ENOENT', 'ENODEV'], () => deleteRoute(netlink, { ...key, ...targetOf(object, undefined) }))
    return
  }
  const through = object.target.type === 'unreachable' ? undefined : object.target.link
  const link = through === undefined ? undefined : theLink(object.namespace, through, namespaces).index
  const spec = { ...key, ...targetOf(object, link) }
  if (operation.do === 'change') return replaceRoute(netlink, spec)
  try {
    addRoute(netlink, spec)
  } catch (error) {
    // One of ours that outlived its link going down and up; anyone else's stays.
    if (!(error instanceof NetlinkError) || error.code !== 'EEXIST') throw error
    const ours = listRoutes(netlink, { table, protocol: PROTOCOL })
    if (!ours.some((route) => route.destination === destination && route.metric === metric)) throw error
    replaceRoute(netlink, spec)
  }
}

/** The new one first: a namespace without this rule takes no packet for itself. */
function performRule({ namespace, family, priority }: LocalRuleObject, namespaces: Namespaces): void {
  const netlink = namespaces.netlink(namespace)
  const spec = { family: family === 4 ? AF_INET : AF_INET6, table: RT_TABLE_LOCAL } as const
  const there = listRules(netlink, { family: spec.family }).filter(isLocalRule)
  if (!there.some((rule) => rule.priority === priority)) addRule(netlink, { ...spec, priority })
  for (const rule of there) if (rule.priority !== priority) deleteRule(netlink, { ...spec, priority: rule.priority })
}

function targetOf({ target }: RouteObject, link: number | undefined): Pick<RouteSpec, 'type' | 'nexthops'> {
  switch (target.type) {
    case 'unreachable':
      return { type: 'unreachable', nexthops: [] }
    case 'link':
      return { type: 'unicast', nexthops: link === undefined ? [] : [{ link }] }
    case 'via':
      return { type: 'unicast', nexthops: [{ gateway: target.gateway, link }] }
  }
}
