/**
 * The plan of a node with n VNIs: every tenth is an L3VNI whose VRF has a session with the host; of the nine segments
 * after it, the first three are routed in that VRF, with a gateway, and six are plain layer 2. Each has a veth. Pure.
 */
import { kindNamed, type AnyResource } from '../../api/kinds/kinds.ts'
import { checkResource } from '../../api/manifest/check.ts'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import { plan } from '../../api/plan/plan.ts'
import { snapshotOf, type Snapshot } from '../../api/snapshot/snapshot.ts'

export const NODE = { name: 'node1', index: 0, labels: {} } as const
export const NIC = { name: 'eth1', address: '192.168.10.11/24', mtu: 1500 } as const

/** Nobody is at the other end of the sessions: whoever dials them again and again measures that. Seconds. */
const NEVER = 3600

const FIRST_VNI = 1001
/** The segment that comes, changes and goes: routed, in the first tenant's VRF. */
export const EXTRA_VNI = 9001

const underlay = object('Underlay', 'fabric', {
  asn: 64514,
  interfaces: [{ name: NIC.name }],
  vtep: { cidrs: ['100.65.0.0/24'] },
  neighbors: [{ address: '192.168.10.1', type: 'External', connectTime: NEVER }],
})

export interface More {
  /** Which gateway the extra segment has; absent: there is no such segment. */
  readonly extra?: 0 | 1
}

export function nodePlan(n: number, more: More = {}): NodePlan {
  return plan(snapshot(n, more), NODE).plan
}

export function snapshot(n: number, { extra }: More = {}): Snapshot {
  const vnis = Array.from({ length: n }, (_, i) => resource(i))
  const added = extra === undefined ? [] : [segment(EXTRA_VNI, 't0', `10.200.${extra}.1/24`)]
  return snapshotOf([underlay, ...vnis, ...added])
}

function resource(i: number): AnyResource {
  const [tenant, place, vni] = [Math.floor(i / 10), i % 10, FIRST_VNI + i]
  const vrf = `t${tenant}`
  if (place > 3) return segment(vni)
  if (place > 0) return segment(vni, vrf, `10.${i >> 8}.${i & 255}.1/24`)
  const localCIDR = { ipv4: `172.${16 + (tenant >> 8)}.${tenant & 255}.0/24` }
  return object('L3VNI', `tenant-${tenant}`, {
    vni,
    vrf,
    hostSession: { hostASN: 64515, localCIDR, connectTime: NEVER },
  })
}

function segment(vni: number, vrf?: string, gateway?: string): AnyResource {
  return object('L2VNI', `segment-${vni}`, { vni, ...(vrf === undefined ? {} : { vrf, gatewayIPs: [gateway] }) })
}

function object(kind: string, name: string, spec: unknown): AnyResource {
  const declared = kindNamed(kind)
  if (declared === undefined) throw new Error(`there is no kind ${kind}`)
  const checked = checkResource(declared, { apiVersion: 'nodeleaf.io/v1alpha1', kind, metadata: { name }, spec })
  if ('issues' in checked) throw new Error(`${kind}/${name}: ${JSON.stringify(checked.issues)}`)
  return checked.object
}
