/** Does operations: the thin part, all decisions were `diff`'s. */
import { deleteAddressRequest, replaceAddressRequest } from './netlink/address.ts'
import { AF_INET, AF_INET6 } from './netlink/inet.ts'
import { NetlinkError } from './netlink/netlink-error.ts'
import {
  addRouteRequest,
  deleteRouteRequest,
  listRoutes,
  replaceRouteRequest,
  type RouteSpec,
} from './netlink/route.ts'
import { addRule, deleteRule, listRules } from './netlink/rule.ts'
import { linkTalk } from './link-effect.ts'
import type { Namespaces } from './namespaces.ts'
import { warningsOf } from './nic/record.ts'
import type { AddressObject, RouteObject, RuleObject } from './objects.ts'
import type { Operation } from './operation.ts'
import { PROTOCOL } from './owner.ts'
import { converse, DONE, type Outcome, type Talk } from './talk.ts'
import { performVlans } from './vlan-effect.ts'
import { purposeOf, RULES } from './vrf-rules.ts'
import { indexOf, type World } from './world.ts'

const LINK_SCOPE = 253

/** Whether the kernel does not mind in which order two such operations are done, and they may be done at once. */
export function together({ do: what, object }: Operation, other: Operation): boolean {
  if (what !== other.do || object.namespace !== other.object.namespace) return false
  if (object.type === 'link') {
    return other.object.type === 'link' && object.kind === other.object.kind && object.kind !== 'nic'
  }
  return object.type === other.object.type
}

/** Whether many like it cost the kernel hardly more than one. */
export function asOne({ object }: Operation): boolean {
  return object.type === 'vlan'
}

/** One outcome an operation, in order. They must be such as `together` allows. */
export function perform(operations: readonly Operation[], world: World): readonly Outcome[] {
  if (operations.every(({ object }) => object.type === 'vlan')) return performVlans(operations, world)
  const talks = operations.flatMap((operation) => talkOf(operation, world) ?? [])
  if (talks.length === operations.length) return converse(talks, world.send)
  return operations.map((operation) => {
    try {
      performAlone(operation, world)
      return DONE
    } catch (error) {
      return { done: false, error }
    }
  })
}

function talkOf(operation: Operation, world: World): Talk | undefined {
  const { object } = operation
  switch (object.type) {
    case 'link':
      if (object.kind === 'nic' && (operation.do === 'create' || operation.do === 'delete')) return undefined
      return linkTalk(operation, object, world)
    case 'address':
      return addressTalk(operation, object, world)
    case 'route':
      return routeTalk(operation, object, world)
    case 'vlan':
    case 'rule':
    case 'sysctl':
      return undefined
  }
}

/** Throws KernelError, NetlinkError, and errors of node:fs. */
function performAlone(operation: Operation, world: World): void {
  const { object } = operation
  if (object.type === 'rule') performRule(object, world.namespaces)
  else if (object.type === 'sysctl') world.namespaces.writeSysctl(object.namespace, object.path, object.value)
  else if (object.type === 'link' && object.kind === 'nic') {
    if (operation.do === 'delete') world.nics.giveBack(object.name)
    else for (const warning of warningsOf(world.nics.bring(object))) world.warn(warning, operation)
  }
}

function* addressTalk(operation: Operation, object: AddressObject, world: World): Talk {
  const { namespace, address, peer, noPrefixRoute, noDad } = object
  if (operation.do === 'delete') {
    const link = world.index(namespace, object.link)
    if (link === undefined) return
    try {
      yield { namespace, requests: [deleteAddressRequest({ link, address, peer })] }
    } catch (error) {
      tolerated(error, ['EADDRNOTAVAIL', 'ENODEV'])
    }
    return
  }
  const link = indexOf(world, namespace, object.link)
  const scope = address.startsWith('fe80:') ? LINK_SCOPE : 0
  const spec = { link, address, peer, noPrefixRoute, noDad, scope, protocol: PROTOCOL }
  yield { namespace, requests: [replaceAddressRequest(spec)] }
}

function* routeTalk(operation: Operation, object: RouteObject, world: World): Talk {
  const { namespace, destination, table, metric } = object
  const key = { destination, table, metric, protocol: PROTOCOL }
  if (operation.do === 'delete') {
    try {
      yield { namespace, requests: [deleteRouteRequest({ ...key, ...targetOf(object, undefined) })] }
    } catch (error) {
      tolerated(error, ['ESRCH', 'ENOENT', 'ENODEV'])
    }
    return
  }
  const through = object.target.type === 'unreachable' ? undefined : object.target.link
  const link = through === undefined ? undefined : indexOf(world, namespace, through)
  const spec = { ...key, ...targetOf(object, link) }
  if (operation.do === 'change') return yield { namespace, requests: [replaceRouteRequest(spec)] }
  try {
    yield { namespace, requests: [addRouteRequest(spec)] }
  } catch (error) {
    // One of ours that outlived its link going down and up; anyone else's stays.
    tolerated(error, ['EEXIST'])
    const ours = listRoutes(world.namespaces.netlink(namespace), { table, protocol: PROTOCOL })
    if (!ours.some((route) => route.destination === destination && route.metric === metric)) throw error
    yield { namespace, requests: [replaceRouteRequest(spec)] }
  }
}

/** Throws the error unless it has one of the codes. */
function tolerated(error: unknown, codes: readonly string[]): void {
  if (!(error instanceof NetlinkError) || !codes.includes(error.code)) throw error
}

/** The new one first: a namespace without it takes no packet for itself, or has VRFs that are open. */
function performRule({ namespace, family, priority, purpose }: RuleObject, namespaces: Namespaces): void {
  const netlink = namespaces.netlink(namespace)
  const spec = { family: family === 4 ? AF_INET : AF_INET6, ...RULES[purpose] } as const
  const there = listRules(netlink, { family: spec.family }).filter((rule) => purposeOf(rule) === purpose)
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
