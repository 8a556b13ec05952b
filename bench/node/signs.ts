/** By what a change can be told to have happened. Pure. */
import { formatPrefix, networkOf, parsePrefix } from '../../api/address/prefix.ts'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import type { Expected } from './expected.ts'

export interface Signs {
  /** Links of the router that must be there, up, and those that must not. */
  readonly links: readonly string[]
  readonly noLinks: readonly string[]
  /** VNIs that zebra must know whole, with their VRFs, and those that it must not know. */
  readonly vnis: readonly (readonly [vni: number, vrf: string])[]
  readonly noVnis: readonly number[]
  /** `10.0.0.1/24 br110` */
  readonly addresses: readonly string[]
  readonly noAddresses: readonly string[]
  /** What bgpd must have of its own: `red 10.0.0.0/24`. */
  readonly routes: readonly string[]
  /** These are but some: when they are seen, everything has to be looked at. */
  readonly some: boolean
}

/** Of a large change so many of each kind are looked at before everything is. */
const FEW = 3

export function signsOf(before: Expected, after: Expected, from: NodePlan, to: NodePlan): Signs {
  const vnis = (of: Expected): [number, string][] => [...of.l3, ...of.l2]
  const known = new Set(vnis(before).map(([vni]) => vni))
  const wanted = new Set(vnis(after).map(([vni]) => vni))
  const announced = networksOf(from)
  const all = {
    links: [...after.links.keys()].filter((name) => !before.links.has(name)),
    noLinks: [...before.links.keys()].filter((name) => !after.links.has(name)),
    vnis: vnis(after).filter(([vni]) => !known.has(vni)),
    noVnis: vnis(before).flatMap(([vni]) => (wanted.has(vni) ? [] : [vni])),
    addresses: [...after.addresses].filter((each) => !before.addresses.has(each)),
    noAddresses: [...before.addresses].filter((each) => !after.addresses.has(each)),
    routes: [...networksOf(to)].filter((each) => !announced.has(each)),
  }
  const some = Object.values(all).some(({ length }) => length > 10)
  // The last ones: most of what is done in order is done then.
  const few = <T>(list: readonly T[]): readonly T[] => (some ? list.slice(-FEW) : list)
  return {
    links: few(all.links),
    noLinks: few(all.noLinks),
    vnis: few(all.vnis),
    noVnis: few(all.noVnis),
    addresses: few(all.addresses),
    noAddresses: few(all.noAddresses),
    routes: some ? [] : all.routes,
    some,
  }
}

/** `red 10.0.0.0/24`: the subnets of segments that are routed in a VRF are announced. */
function networksOf({ segments }: NodePlan): ReadonlySet<string> {
  return new Set(
    segments.flatMap(({ vrf, gateways }) =>
      gateways.flatMap((gateway) => {
        const prefix = parsePrefix(gateway)
        return vrf === undefined || prefix?.family !== 4 ? [] : [`${vrf} ${formatPrefix(networkOf(prefix))}`]
      }),
    ),
  )
}
