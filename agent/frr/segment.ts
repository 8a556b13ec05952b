/** Layer 2 VNIs whose route targets or distinguisher are not automatic; the others need no line in FRR. */
import { targetLines } from './targets.ts'
import { block, leaf } from './tree.ts'
import type { Block } from './tree.ts'
import type { SegmentPlan } from '../../api/plan/node-plan.ts'

/** The block of `address-family l2vpn evpn` in the default instance, if there is one. */
export function segmentBlocks(segment: SegmentPlan, asn: number): Block[] {
  const lines = targetLines(segment, asn, segment.vni)
  if (lines.length === 0) return []
  const body = lines.map((line) => leaf(line, segment.for))
  return [block(`vni ${segment.vni}`, body, segment.for)]
}
