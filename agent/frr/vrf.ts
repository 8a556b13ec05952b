/** An IP-VRF: its VNI in zebra's eyes, and its BGP instance. */
import { formatPrefix, networkOf, parsePrefix } from '../../api/address/prefix.ts'
import { hostSession } from './host-session.ts'
import { instanceLines, pathLines } from './instance.ts'
import { targetLines } from './targets.ts'
import { block, leaf } from './tree.ts'
import type { Block } from './tree.ts'
import type { Family } from '../../api/address/prefix.ts'
import type { RouterPlan, SegmentPlan, VrfPlan } from '../../api/plan/node-plan.ts'

/** `vrf X / vni N`; nothing for a VRF that is local to the node. */
export function vrfBlock(vrf: VrfPlan): Block[] {
  return vrf.l3vni ? [block(`vrf ${vrf.name}`, [leaf(`vni ${vrf.l3vni.vni}`, vrf.for)], vrf.for)] : []
}

export interface VrfInstance {
  readonly definitions: readonly Block[]
  readonly instance: Block
}

/**
 * `router bgp ASN vrf X`; undefined for a VRF that is local to the node and has no host session.
 * @param segments those of this VRF: their gateways' subnets are announced.
 */
export function vrfInstance(
  vrf: VrfPlan,
  router: RouterPlan,
  segments: readonly SegmentPlan[],
): VrfInstance | undefined {
  if (vrf.l3vni === undefined && vrf.hostSession === undefined) return undefined
  const asn = vrf.hostSession?.asn ?? router.asn
  const host = vrf.hostSession && hostSession(vrf.hostSession, vrf.name, asn)
  const body = [
    ...instanceLines(router, vrf.for),
    ...(host?.neighbors ?? []),
    ...([4, 6] as const).map((family) => {
      const lines = [
        ...gatewayNetworks(segments, family),
        ...(host?.family(family) ?? []),
        ...pathLines(router, vrf.for),
      ]
      return block(`address-family ipv${family} unicast`, lines, vrf.for)
    }),
    ...evpn(vrf, asn),
  ]
  const filled = body.filter((child) => !child.line.startsWith('address-family') || child.body.length > 0)
  return { definitions: host?.definitions ?? [], instance: block(`router bgp ${asn} vrf ${vrf.name}`, filled, vrf.for) }
}

function gatewayNetworks(segments: readonly SegmentPlan[], family: Family): Block[] {
  return segments.flatMap((segment) =>
    segment.gateways.flatMap((gateway) => {
      const prefix = parsePrefix(gateway)
      return prefix?.family === family ? [leaf(`network ${formatPrefix(networkOf(prefix))}`, segment.for)] : []
    }),
  )
}

function evpn(vrf: VrfPlan, asn: number): Block[] {
  if (vrf.l3vni === undefined) return []
  const lines = ['advertise ipv4 unicast', 'advertise ipv6 unicast', ...targetLines(vrf.l3vni, asn, vrf.l3vni.vni)]
  return [
    block(
      'address-family l2vpn evpn',
      lines.map((line) => leaf(line, vrf.for)),
      vrf.for,
    ),
  ]
}
