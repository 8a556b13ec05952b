/** What a plan asks for that this node cannot do, though the rest of the resource works. */
import type { NodePlan, ResourceRef } from '../../api/plan/node-plan.ts'

export interface Unsupported {
  readonly for: ResourceRef
  readonly message: string
}

export function unsupported(plan: NodePlan): readonly Unsupported[] {
  const unplugged = plan.segments.filter(({ hostMaster }) => hostMaster?.type === 'OVSBridge')
  return unplugged.map((segment) => {
    const name = segment.hostMaster?.name
    const message =
      `hostMaster ${name} is an OVSBridge: nodeleaf does not plug into Open vSwitch yet. ` +
      `host-${segment.vni} is there and up: add it with "ovs-vsctl add-port ${name} host-${segment.vni}", ` +
      'or use type LinuxBridge'
    return { for: segment.for, message }
  })
}
