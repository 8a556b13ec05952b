/** Plans for tests: the lab's first node, whole and in parts. */
import type { HostSessionPlan, NodePlan, ResourceRef, RouterPlan, SegmentPlan, VrfPlan } from '../../../api/plan/node-plan.ts'

export const router: RouterPlan = {
  for: { kind: 'Underlay', name: 'fabric' },
  asn: 64514,
  routerID: '100.65.0.1',
  vteps: ['100.65.0.1'],
  vtepPools: ['100.65.0.0/24'],
  routerMAC: '02:6e:64:41:00:01',
  interfaces: ['eth1'],
  neighbors: [],
  maximumPaths: 64,
  multipathRelax: true,
}

export const passthrough: HostSessionPlan = session({ kind: 'L3Passthrough', name: 'direct' }, ['192.169.9.1/24'], [
  '192.169.9.2/24',
])

export const red: VrfPlan = vrf('red', 100, 10100, ['192.169.10.1/24', 'fd00:c9:10::1/64'], [
  '192.169.10.2/24',
  'fd00:c9:10::2/64',
])

export const blue: VrfPlan = vrf('blue', 200, 10200, ['192.169.20.1/24'], ['192.169.20.2/24'])

/** With anycast gateways, plugged into a bridge that nodeleaf makes. */
export const web: SegmentPlan = {
  for: { kind: 'L2VNI', name: 'web' },
  vni: 110,
  vrf: 'red',
  gateways: ['10.110.0.1/24', 'fd00:110::1/64'],
  gatewayMAC: '02:6e:6c:00:00:6e',
  hostMaster: { type: 'LinuxBridge', name: 'br-hs-110', autoCreate: true },
  suppressARP: true,
  importTargets: [],
  exportTargets: [],
}

/** Layer 2 only, the host's end is left free. */
export const plain: SegmentPlan = {
  for: { kind: 'L2VNI', name: 'plain' },
  vni: 300,
  gateways: [],
  gatewayMAC: '02:6e:6c:00:01:2c',
  suppressARP: false,
  importTargets: [],
  exportTargets: [],
}

export const whole: NodePlan = plan({ vrfs: [blue, red], segments: [web, plain], passthrough })
export const empty: NodePlan = { node: 'node1', vrfs: [], segments: [] }

export function plan(parts: Partial<NodePlan>): NodePlan {
  return { node: 'node1', router, vrfs: [], segments: [], ...parts }
}

export function vrf(
  name: string,
  vni: number,
  table: number,
  routerAddresses: readonly string[],
  hostAddresses: readonly string[],
): VrfPlan {
  const ref = { kind: 'L3VNI', name } as const
  return {
    for: ref,
    name,
    table,
    l3vni: { vni, importTargets: [], exportTargets: [] },
    hostSession: session(ref, routerAddresses, hostAddresses),
  }
}

function session(
  ref: ResourceRef,
  routerAddresses: readonly string[],
  hostAddresses: readonly string[],
): HostSessionPlan {
  return {
    for: ref,
    asn: 64514,
    remoteAS: 64515,
    connectSeconds: 5,
    routerAddresses,
    hostAddresses,
    fromHost: { prefixes: [] },
    toHost: { prefixes: [] },
    allowDefault: false,
  }
}
