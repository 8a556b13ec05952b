/** Reads everything of a NIC that a move to another namespace loses. */
import { readdirSync, readFileSync } from 'node:fs'
import type { ResourceRef } from '../../../api/plan/node-plan.ts'
import { listAddresses, type Address } from '../netlink/address.ts'
import { AF_INET } from '../netlink/inet.ts'
import { listLinks, type Link } from '../netlink/link.ts'
import type { Netlink } from '../netlink/netlink.ts'
import { listRoutes, type Route } from '../netlink/route.ts'
import { RTPROT_KERNEL, RTPROT_RA } from '../netlink/route-message.ts'
import type { NicRecord, RecordedRoute } from './record.ts'

const RTPROT_REDIRECT = 1
/** IFA_PROTO: what the kernel made itself and makes again. */
const IFAPROT_KERNEL_LL = 3
const LINK_SCOPE = 253

/** The NIC must be in the host's namespace: the sysctls are read as the agent's own. */
export function capture(netlink: Netlink, nic: Link, ref: ResourceRef): NicRecord {
  const links = listLinks(netlink)
  const names = new Map(links.map((link) => [link.index, link.name]))
  const addresses = listAddresses(netlink, { link: nic.index })
  const own = new Set(addresses.map((address) => address.address.split('/')[0]))
  const { name, index, mac, permanentMac, mtu, up, group, txQueueLength, addrGenMode } = nic
  return {
    version: 1,
    phase: 'bringing',
    for: ref,
    name,
    bootId: bootId(),
    index,
    mac,
    permanentMac,
    mtu,
    up,
    alias: nic.alias ?? '',
    group,
    txQueueLength,
    addrGenMode,
    master: nic.master === undefined ? undefined : names.get(nic.master),
    addresses: inOrder(addresses.filter((address) => isConfigured(address, nic))),
    routes: listRoutes(netlink)
      .filter((route) => isLost(route, index, own))
      .map((route) => recorded(route, names)),
    sysctls: sysctlsOf(name),
  }
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
}

/** Not made by the kernel: its link-local address, temporary addresses. */
function isConfigured(address: Address, nic: Link): boolean {
  if (address.family === AF_INET) return true
  if (address.secondary) return false
  if (address.scope !== LINK_SCOPE) return true
  return address.protocol === undefined ? nic.addrGenMode === 'none' : address.protocol !== IFAPROT_KERNEL_LL
}

/** The kernel lists IPv4 addresses in the order they were added, IPv6 ones newest first (ipv6_link_dev_addr). */
function inOrder(addresses: readonly Address[]): NicRecord['addresses'] {
  const older = addresses.filter((address) => address.family === AF_INET)
  const newer = addresses.filter((address) => address.family !== AF_INET).toReversed()
  return [...older, ...newer].map(
    ({ address, peer, broadcast, label, scope, noPrefixRoute, noDad, manageTemporary, ...rest }) => ({
      address,
      peer,
      broadcast,
      label,
      scope,
      noPrefixRoute,
      noDad,
      manageTemporary,
      validSeconds: rest.validSeconds,
      preferredSeconds: rest.preferredSeconds,
      metric: rest.metric,
      protocol: rest.protocol,
    }),
  )
}

/** Leaves by the NIC, or prefers one of its addresses; and comes back neither by itself nor with the next advertisement. */
function isLost(route: Route, index: number, own: ReadonlySet<string | undefined>): boolean {
  if ([RTPROT_KERNEL, RTPROT_RA, RTPROT_REDIRECT].includes(route.protocol)) return false
  return route.nexthops.some((hop) => hop.link === index) || (route.source !== undefined && own.has(route.source))
}

function recorded(route: Route, names: ReadonlyMap<number, string>): RecordedRoute {
  const { family: _, nexthopId: __, nexthops, ...spec } = route
  return {
    ...spec,
    nexthops: nexthops.map(({ link, ...hop }) => ({ ...hop, link: link === undefined ? undefined : names.get(link) })),
  }
}

function sysctlsOf(name: string): Record<string, string> {
  const values: Record<string, string> = {}
  for (const folder of ['ipv4/conf', 'ipv6/conf', 'ipv4/neigh', 'ipv6/neigh'].map((part) => `net/${part}/${name}`)) {
    for (const file of list(`/proc/sys/${folder}`)) {
      try {
        values[`${folder}/${file}`] = readFileSync(`/proc/sys/${folder}/${file}`, 'latin1').trim()
      } catch {
        // A secret that is not set cannot be read.
      }
    }
  }
  return values
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    // No IPv6 on this link.
    return []
  }
}
