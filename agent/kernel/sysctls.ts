/**
 * The sysctls of the router's namespace. None is set in the host's.
 *
 * Links take their settings from `default` when they are made (or moved in), so these come first; most are in force for
 * every link through `all` as well (Documentation/networking/ip-sysctl.rst says for each how the two combine).
 * Neighbour table sizes (`gc_thresh*`) belong to the whole machine, not to a namespace: the administrator's to set.
 */
import type { ResourceRef } from '../../api/plan/node-plan.ts'
import type { SysctlObject } from './objects.ts'

type Row = readonly [path: string, value: string, reason: string, need?: 'optional' | undefined]

/** One row for `all` and `default` each. */
const everyLink = (family: 'ipv4' | 'ipv6', name: string, value: string, reason: string, need?: 'optional'): Row[] =>
  ['all', 'default'].map((scope): Row => [`net/${family}/conf/${scope}/${name}`, value, reason, need])

/** In this order: switching IPv4 forwarding resets other settings to those of a router (RFC 1812). */
const ROWS: readonly Row[] = [
  ...everyLink('ipv4', 'forwarding', '1', 'it is a router'),
  ...everyLink('ipv6', 'disable_ipv6', '0', 'the overlay is dual stack, whatever the host inherits', 'optional'),
  ...everyLink('ipv6', 'forwarding', '1', 'it is a router', 'optional'),
  ...everyLink('ipv4', 'rp_filter', '0', 'EVPN traffic is asymmetric: it may return by another link'),
  ...everyLink('ipv4', 'send_redirects', '0', 'the anycast gateway forwards within a segment on purpose'),
  ...everyLink(
    'ipv4',
    'arp_accept',
    '1',
    'a gratuitous ARP makes a neighbour, so that a VM that moved is found at once',
  ),
  ...everyLink('ipv6', 'accept_untracked_na', '2', 'the same for unsolicited NAs of the own subnets', 'optional'),
  ...everyLink('ipv4', 'arp_notify', '1', 'a gateway that comes up or changes its MAC tells the hosts'),
  ...everyLink('ipv6', 'ndisc_notify', '1', 'the same for IPv6', 'optional'),
  ...everyLink('ipv4', 'ignore_routes_with_linkdown', '1', 'a next hop without carrier takes no share of ECMP traffic'),
  ...everyLink('ipv6', 'ignore_routes_with_linkdown', '1', 'the same for IPv6', 'optional'),
  ...everyLink('ipv4', 'promote_secondaries', '1', 'removing an address must not remove others of its subnet'),
  ...everyLink(
    'ipv6',
    'keep_addr_on_down',
    '1',
    'addresses outlive a link that goes down or changes its VRF',
    'optional',
  ),
  ...everyLink('ipv6', 'accept_ra', '0', 'a router is not configured by router advertisements', 'optional'),
  ...everyLink('ipv6', 'autoconf', '0', 'a router is not configured by router advertisements', 'optional'),
  ['net/ipv4/fib_multipath_hash_policy', '1', 'ECMP by ports too: tunnels differ in their source port', 'optional'],
  ['net/ipv6/fib_multipath_hash_policy', '1', 'ECMP by ports too: tunnels differ in their source port', 'optional'],
  ['net/ipv4/tcp_l3mdev_accept', '1', 'BGP sessions in a VRF reach a listener of the default VRF', 'optional'],
  ['net/ipv4/udp_l3mdev_accept', '1', 'the same for BFD', 'optional'],
  ['net/ipv4/raw_l3mdev_accept', '1', 'the same for raw sockets', 'optional'],
]

export function routerSysctls(ref: ResourceRef): SysctlObject[] {
  return ROWS.map(([path, value, reason, need]) => ({
    type: 'sysctl',
    namespace: 'router',
    path,
    value,
    reason,
    optional: need === 'optional',
    for: ref,
  }))
}
