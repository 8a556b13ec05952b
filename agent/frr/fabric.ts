/** The default BGP instance: sessions with the fabric, EVPN for the node's VNIs, and the passthrough session. */
import { parseAddress } from '../../api/address/prefix.ts'
import { fabricPolicyLines } from './fabric-policy.ts'
import { instanceLines, pathLines } from './instance.ts'
import { sessionLines } from './session.ts'
import { block, leaf } from './tree.ts'
import type { Block } from './tree.ts'
import type { Stripped } from './fabric-policy.ts'
import type { HostSessionConfig } from './host-session.ts'
import type { AddressFamily, NeighborPlan, ResourceRef, RouterPlan } from '../../api/plan/node-plan.ts'

const familyWords = { IPv4Unicast: 'ipv4 unicast', IPv6Unicast: 'ipv6 unicast', L2VPNEVPN: 'l2vpn evpn' } as const
const families = ['IPv4Unicast', 'IPv6Unicast', 'L2VPNEVPN'] as const

/**
 * `router bgp ASN`. EVPN is always on, VNIs or not: the first VNI must not change what the sessions have negotiated.
 * @param vnis the blocks of layer 2 VNIs that need lines of their own.
 */
export function fabricInstance(
  router: RouterPlan,
  vnis: readonly Block[],
  stripped: Stripped,
  passthrough?: HostSessionConfig,
): Block {
  const ref = router.for
  const body = [
    ...instanceLines(router),
    ...router.neighbors.flatMap((neighbor) => neighborLines(neighbor, ref)),
    ...(passthrough?.neighbors ?? []),
    ...families.flatMap((family) => {
      const lines = familyLines(family, router, vnis, stripped, passthrough)
      return lines.length === 0 ? [] : [block(`address-family ${familyWords[family]}`, lines, ref)]
    }),
  ]
  return block(`router bgp ${router.asn}`, body, ref)
}

function neighborLines(neighbor: NeighborPlan, ref: ResourceRef): Block[] {
  const name = neighborName(neighbor)
  const lines = (...texts: string[]) => texts.map((text) => leaf(text, ref))
  return [
    ...lines(...makingLines(neighbor, name)),
    ...sessionLines(name, neighbor, ref),
    ...lines(
      ...(neighbor.port === undefined || neighbor.port === 179 ? [] : [`neighbor ${name} port ${neighbor.port}`]),
      ...(neighbor.ebgpMultiHop ? [`neighbor ${name} ebgp-multihop`] : []),
      ...(needsExtendedNextHop(neighbor) ? [`neighbor ${name} capability extended-nexthop`] : []),
      ...(neighbor.peer.type === 'range' ? [`bgp listen range ${neighbor.peer.prefix} peer-group ${name}`] : []),
    ),
  ]
}

function makingLines(neighbor: NeighborPlan, name: string): string[] {
  switch (neighbor.peer.type) {
    case 'address':
      return [`neighbor ${name} remote-as ${neighbor.remoteAS}`]
    case 'interface':
      return [`neighbor ${name} interface v6only remote-as ${neighbor.remoteAS}`]
    case 'range':
      return [`neighbor ${name} peer-group`, `neighbor ${name} remote-as ${neighbor.remoteAS}`]
  }
}

/** What FRR knows a neighbour by. A slash cannot stand in a peer group's name that people type. */
export function neighborName({ peer }: NeighborPlan): string {
  switch (peer.type) {
    case 'address':
      return peer.address
    case 'interface':
      return peer.interface
    case 'range':
      return `nodeleaf-${peer.prefix.replace('/', '-')}`
  }
}

/** IPv4 routes over a session between IPv6 addresses (RFC 8950). Unnumbered sessions have it by themselves. */
function needsExtendedNextHop({ peer, families: spoken }: NeighborPlan): boolean {
  if (peer.type === 'interface' || !spoken.includes('IPv4Unicast')) return false
  return (peer.type === 'address' ? peer.address : peer.prefix).includes(':')
}

function familyLines(
  family: AddressFamily,
  router: RouterPlan,
  vnis: readonly Block[],
  stripped: Stripped,
  passthrough?: HostSessionConfig,
): Block[] {
  const ref = router.for
  const neighbors = router.neighbors.filter((neighbor) => neighbor.families.includes(family))
  const own = neighbors.flatMap((neighbor) => {
    const name = neighborName(neighbor)
    return [
      `neighbor ${name} activate`,
      ...(neighbor.routeReflectorClient ? [`neighbor ${name} route-reflector-client`] : []),
      ...(neighbor.allowASIn ? [`neighbor ${name} allowas-in`] : []),
      ...fabricPolicyLines(neighbor, name, family, router, stripped),
    ]
  })
  if (family === 'L2VPNEVPN') {
    const everyVni = router.vteps.length > 0 ? ['advertise-all-vni'] : []
    return [...[...own, ...everyVni].map((line) => leaf(line, ref)), ...vnis]
  }
  const version = family === 'IPv4Unicast' ? 4 : 6
  const networks = router.vteps
    .filter((vtep) => parseAddress(vtep)?.family === version)
    .map((vtep) => `network ${vtep}/${version === 4 ? 32 : 128}`)
  const host = passthrough?.family(version) ?? []
  if (networks.length + own.length + host.length === 0) return []
  return [...[...networks, ...own].map((line) => leaf(line, ref)), ...host, ...pathLines(router)]
}
