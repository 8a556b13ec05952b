/** A routed VPN: an IP-VRF stretched over the fabric, with a BGP session to the host. */
import * as z from 'zod'
import { cel } from './cel.ts'
import { defineKind, shortName, type Resource } from './kind.ts'
import { markingFields, policy } from './policy.ts'
import { vni, vrfName } from './scalars.ts'
import { nodeSelector } from './selector.ts'
import { hostSession } from './session.ts'
import { age, reason, stateColumns, status } from './status.ts'

export const l3vni = defineKind({
  name: 'L3VNI',
  plural: 'l3vnis',
  shortNames: ['l3'],
  description: 'A routed VPN: a VRF and a VNI; a veth on each node with a BGP session to the host; EVPN type-5 routes.',
  spec: z
    .strictObject({
      nodeSelector,
      vni,
      vrf: vrfName.describe('Name of the VRF, also as a network interface in the router. A VRF has one L3VNI.'),
      hostSession: hostSession.optional(),
      ...markingFields,
      exportPolicy: policy
        .optional()
        .describe('What the host may announce into the VPN. Default: everything but a default route.'),
      importPolicy: policy.optional().describe('What the host is told of the VPN. Default: everything.'),
      mtu: z
        .int()
        .min(1280)
        .max(65535)
        .optional()
        .describe('MTU of the VPN. Default: that of the underlay less the encapsulation.'),
    })
    .meta(
      cel({
        rule: 'has(self.hostSession) || (!has(self.exportPolicy) && !has(self.importPolicy))',
        message: 'exportPolicy and importPolicy need a hostSession to act on',
        remedy: 'add a hostSession, or remove the policies',
        fieldPath: '.hostSession',
      }),
    ),
  example: {
    name: 'red',
    spec: {
      vni: 100,
      vrf: 'red',
      hostSession: { hostASN: 64515, localCIDR: { ipv4: '192.169.10.0/24', ipv6: 'fd00:c9:10::/64' } },
    },
  },
  status,
  columns: [
    { name: 'VNI', type: 'integer', path: '.spec.vni' },
    { name: 'VRF', type: 'string', path: '.spec.vrf' },
    ...stateColumns,
    { name: 'IPv4', type: 'string', path: '.spec.hostSession.localCIDR.ipv4', wide: true },
    { name: 'IPv6', type: 'string', path: '.spec.hostSession.localCIDR.ipv6', wide: true },
    reason,
    age,
  ],
  rules: [shortName],
})

type L3VNISpec = z.infer<typeof l3vni.spec>
export type L3VNI = Resource<'L3VNI', L3VNISpec>
