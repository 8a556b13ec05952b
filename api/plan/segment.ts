/** A layer 2 segment of a node, from its L2VNI: the same on every node. */
import { formatPrefix, parsePrefix } from '../address/prefix.ts'
import type { L2VNI } from '../kinds/l2vni.ts'
import { compare } from '../snapshot/snapshot.ts'
import type { SegmentPlan } from './node-plan.ts'
import { gatewayMAC } from './numbers.ts'
import { marking } from './vrf.ts'

export function segmentPlan(l2: L2VNI): SegmentPlan {
  const { spec } = l2
  return {
    for: { kind: 'L2VNI', name: l2.metadata.name },
    vni: spec.vni,
    ...(spec.vrf === undefined ? {} : { vrf: spec.vrf }),
    gateways: spec.gatewayIPs.map(canonicalGateway).sort(ipv4First),
    gatewayMAC: gatewayMAC(spec.vni),
    ...(spec.hostMaster && {
      hostMaster: {
        type: spec.hostMaster.type,
        name: spec.hostMaster.name ?? `br-hs-${spec.vni}`,
        autoCreate: spec.hostMaster.autoCreate,
      },
    }),
    ...(spec.mtu === undefined ? {} : { mtu: spec.mtu }),
    suppressARP: spec.suppressARP,
    ...marking(spec),
  }
}

function canonicalGateway(text: string): string {
  const prefix = parsePrefix(text)
  return prefix ? formatPrefix(prefix) : text
}

const ipv4First = (a: string, b: string): number => Number(a.includes(':')) - Number(b.includes(':')) || compare(a, b)
