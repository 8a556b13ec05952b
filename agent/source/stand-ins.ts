/**
 * Objects that could have made the controller's plan, so that the rules across objects can be asked about them: each
 * takes what the API's takes (VNI, VRF, subnets, names of links), whatever else it says. The node's addresses are not in
 * them: they go into the node's facts.
 */
import { formatPrefix, networkOf, parsePrefix } from '../../api/address/prefix.ts'
import type { AnyResource } from '../../api/kinds/kinds.ts'
import type { L2VNI } from '../../api/kinds/l2vni.ts'
import type { L3Passthrough } from '../../api/kinds/l3passthrough.ts'
import type { L3VNI } from '../../api/kinds/l3vni.ts'
import type { Underlay } from '../../api/kinds/underlay.ts'
import type { HostSessionPlan, NodePlan, RouterPlan, SegmentPlan, VrfPlan } from '../../api/plan/node-plan.ts'

export function standIns({ router, vrfs, segments, passthrough }: NodePlan): readonly AnyResource[] {
  return [
    ...(router === undefined ? [] : [underlay(router)]),
    ...vrfs.flatMap((vrf) => (vrf.l3vni === undefined ? [] : [l3vni(vrf, vrf.l3vni)])),
    ...segments.map(l2vni),
    ...(passthrough === undefined ? [] : [l3passthrough(passthrough)]),
  ]
}

function underlay(router: RouterPlan): Underlay {
  const peers = router.neighbors.flatMap(({ peer }) => (peer.type === 'range' ? [] : [peer]))
  const neighbor = { type: 'External', connectTime: 10, ebgpMultiHop: false, routeReflectorClient: false } as const
  return {
    kind: 'Underlay',
    metadata: { name: router.for.name },
    spec: {
      asn: router.asn,
      interfaces: router.interfaces.map((name) => ({ name })),
      ...(router.vteps.length === 0 ? {} : { vtep: { cidrs: [...router.vtepPools] } }),
      neighbors: peers.map((peer) =>
        peer.type === 'address' ? { ...neighbor, address: peer.address } : { ...neighbor, interface: peer.interface },
      ),
      gracefulRestart: { enabled: true, restartTime: 120, stalePathTime: 360 },
      bestPath: { multipathRelax: router.multipathRelax },
      maximumPaths: router.maximumPaths,
    },
  }
}

function l3vni({ for: { name }, name: vrf, hostSession }: VrfPlan, l3: NonNullable<VrfPlan['l3vni']>): L3VNI {
  return {
    kind: 'L3VNI',
    metadata: { name },
    spec: { vni: l3.vni, vrf, ...rd(l3), ...(hostSession ? { hostSession: session(hostSession) } : {}) },
  }
}

function l2vni({ for: { name }, vni, vrf, gateways, hostMaster, ...segment }: SegmentPlan): L2VNI {
  return {
    kind: 'L2VNI',
    metadata: { name },
    spec: {
      vni,
      ...(vrf === undefined ? {} : { vrf }),
      gatewayIPs: [...gateways],
      ...(hostMaster === undefined ? {} : { hostMaster: { ...hostMaster } }),
      suppressARP: segment.suppressARP,
      ...rd(segment),
    },
  }
}

function l3passthrough(passthrough: HostSessionPlan): L3Passthrough {
  return {
    kind: 'L3Passthrough',
    metadata: { name: passthrough.for.name },
    spec: { hostSession: session(passthrough) },
  }
}

function session({ routerAddresses }: HostSessionPlan): L3Passthrough['spec']['hostSession'] {
  const network = (address: string | undefined): string | undefined => {
    const prefix = parsePrefix(address ?? '')
    return prefix && formatPrefix(networkOf(prefix))
  }
  const ipv4 = network(routerAddresses.find((each) => !each.includes(':')))
  const ipv6 = network(routerAddresses.find((each) => each.includes(':')))
  return {
    hostType: 'External',
    connectTime: 10,
    allowDefault: false,
    localCIDR: { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) },
  }
}

const rd = ({ routeDistinguisher }: { readonly routeDistinguisher?: string }): { routeDistinguisher?: string } =>
  routeDistinguisher === undefined ? {} : { routeDistinguisher }
