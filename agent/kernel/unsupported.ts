/** What a plan asks for that this node cannot do, though the rest of the resource works. */
import type { NodePlan, ResourceRef } from '../../api/plan/node-plan.ts'

export interface Unsupported {
  readonly for: ResourceRef
  readonly message: string
}

export function unsupported(plan: NodePlan): readonly Unsupported[] {
  return plan.segments.flatMap((segment) => {
    if (segment.hostMaster?.type !== 'OVSBridge') return []
    const message =
      `hostMaster ${segment.hostMaster.name} is an OVSBridge: nodeleaf does not plug into Open vSwitch yet. ` +
      `host-${segment.vni} is there and up: add it with "ovs-vsctl add-port ${segment.hostMaster.name} host-${segment.vni}", ` +
      'or use type LinuxBridge'
    return [{ for: segment.for, message }]
  })
}
