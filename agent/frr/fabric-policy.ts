/**
 * What passes between the fabric and this node.
 *
 * A leaf is never transit: with two uplinks it would tell one ToR what the other said, and a fabric that lost a spine
 * would route through it. Routes of eBGP fabric neighbours get a tag on the way in, and what has the tag does not go out
 * to such a neighbour again. The tag is bgpd's own note on a route (`attr->tag`, bgpd/bgp_routemap.c, route_set_tag): no
 * peer sees it, so nothing has to be taken off on the way to hosts, and no host can forge it. RFC 9234 roles would do
 * for unicast only (bgpd/bgp_route.c, bgp_check_role_applicability), and their OTC attribute goes on to the hosts.
 * iBGP neighbours keep BGP's own rules: their routes have no tag, and they are told what has one.
 */
import { block, leaf } from './tree.ts'
import type { Block } from './tree.ts'
import type { NeighborPlan, RouterPlan } from '../../api/plan/node-plan.ts'

/**
 * A route that went from one node to another over an eBGP fabric has the nodes' own AS number in its path. An iBGP host
 * would drop it as a loop (RFC 4271 9.1.2), and on the way to an iBGP peer FRR cannot change the path any more
 * (bgpd/bgp_routemap.c, route_set_aspath_exclude): it is taken out as the route comes in.
 */
export interface Stripped {
  readonly evpn: boolean
  readonly unicast: boolean
}

const names = { in: 'nodeleaf-fabric-in', stripped: 'nodeleaf-fabric-in-stripped', out: 'nodeleaf-fabric-out' } as const
const fromFabric = 'tag 1'

/** The route maps that the neighbours' lines name. */
export function fabricDefinitions(router: RouterPlan, stripped: Stripped): Block[] {
  const external = router.neighbors.filter((neighbor) => isExternal(neighbor, router))
  if (external.length === 0) return []
  const map = (entry: string, ...body: string[]) =>
    block(
      `route-map ${entry}`,
      body.map((line) => leaf(line, router.for)),
      router.for,
    )
  const used = (strips: boolean) =>
    external.some(({ families }) => families.some((family) => stripsIn(family, stripped) === strips))
  return [
    ...(used(false) ? [map(`${names.in} permit 10`, `set ${fromFabric}`)] : []),
    ...(used(true)
      ? [map(`${names.stripped} permit 10`, `set as-path exclude ${router.asn}`, `set ${fromFabric}`)]
      : []),
    map(`${names.out} deny 10`, `match ${fromFabric}`),
    map(`${names.out} permit 20`),
  ]
}

/** Lines of an address family. @param name what FRR knows the neighbour by */
export function fabricPolicyLines(
  neighbor: NeighborPlan,
  name: string,
  family: NeighborPlan['families'][number],
  router: RouterPlan,
  stripped: Stripped,
): string[] {
  if (!isExternal(neighbor, router)) return []
  const incoming = stripsIn(family, stripped) ? names.stripped : names.in
  return [`neighbor ${name} route-map ${incoming} in`, `neighbor ${name} route-map ${names.out} out`]
}

function stripsIn(family: NeighborPlan['families'][number], stripped: Stripped): boolean {
  return family === 'L2VPNEVPN' ? stripped.evpn : stripped.unicast
}

function isExternal({ remoteAS }: NeighborPlan, router: RouterPlan): boolean {
  return remoteAS !== 'internal' && remoteAS !== router.asn
}
