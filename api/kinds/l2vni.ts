/** A stretched layer 2: a MAC-VRF, plugged into a bridge of the host, with an anycast gateway when it belongs to a VRF. */
import * as z from 'zod'
import { cel } from './cel.ts'
import { defineKind, shortName, type Resource } from './kind.ts'
import { markingFields } from './policy.ts'
import { bridgeName, gateway, vni, vrfName } from './scalars.ts'
import { nodeSelector } from './selector.ts'
import { age, reason, stateColumns, status } from './status.ts'

const hostMaster = z
  .strictObject({
    type: z.enum(['LinuxBridge', 'OVSBridge']).describe('What kind of bridge it is.'),
    name: bridgeName.optional().describe('Name of the bridge in the host. Default with autoCreate: `br-hs-<vni>`.'),
    autoCreate: z.boolean().default(false).describe('nodeleaf makes and owns the bridge; otherwise it must exist.'),
  })
  .meta(
    cel({
      rule: 'self.autoCreate || has(self.name)',
      message: 'name is needed unless autoCreate is true',
      remedy: 'name the bridge that exists in the host, or set autoCreate: true',
      fieldPath: '.name',
    }),
  )

export const l2vni = defineKind({
  name: 'L2VNI',
  plural: 'l2vnis',
  shortNames: ['l2'],
  description:
    'A stretched layer 2: a bridge and a VNI; a veth on each node plugged into a bridge of the host; EVPN type-2 and type-3 routes.',
  spec: z
    .strictObject({
      nodeSelector,
      vni,
      vrf: vrfName
        .optional()
        .describe(
          'The routing domain the segment belongs to: that of the L3VNI with the same vrf; without one the VRF is local to the node. Absent: layer 2 only.',
        ),
      gatewayIPs: z
        .array(gateway)
        .max(2)
        .default([])
        .meta({ 'x-kubernetes-list-type': 'set' })
        .describe('Anycast gateway, one address a family, the same with the same MAC on every node. Needs vrf.'),
      hostMaster: hostMaster
        .optional()
        .describe("Where the host's end of the veth is plugged in. Absent: it is left free."),
      ...markingFields,
      mtu: z
        .int()
        .min(1280)
        .max(65535)
        .optional()
        .describe('MTU of the segment. Default: that of the underlay less the encapsulation.'),
      suppressARP: z.boolean().default(true).describe('Answer ARP and neighbour solicitations from what EVPN knows.'),
    })
    .meta(
      cel(
        {
          rule: 'size(self.gatewayIPs) == 0 || has(self.vrf)',
          message: 'gatewayIPs need a vrf to route in',
          remedy: 'add vrf, such as vrf: red, or remove gatewayIPs',
          fieldPath: '.gatewayIPs',
        },
        {
          rule: "size(self.gatewayIPs) < 2 || self.gatewayIPs[0].contains(':') != self.gatewayIPs[1].contains(':')",
          message: 'both gatewayIPs are of one family',
          remedy: 'keep one of them, or replace the other by one of the other family',
          fieldPath: '.gatewayIPs',
        },
        {
          rule: "!has(self.hostMaster) || !has(self.hostMaster.name) || !self.hostMaster.name.startsWith('br-hs-') || !self.hostMaster.name.matches('^br-hs-[0-9]+$') || self.hostMaster.name == 'br-hs-' + string(self.vni)",
          message: 'the name of the bridge is the default for another VNI',
          remedy: 'choose a name that is not br-hs- and a number, or leave the name out with autoCreate: true',
          fieldPath: '.hostMaster.name',
        },
        {
          rule: "!has(self.routeTargets) || !has(self.routeTargets.__import__) || self.routeTargets.__import__.all(target, !target.startsWith('*:'))",
          message: 'a MAC-VRF imports no `*:NN`: FRR takes it for IP-VRFs only',
          remedy: 'name the ASN, such as 64514:110, or leave the list out: automatic targets match across ASNs',
          fieldPath: '.routeTargets.import',
        },
      ),
    ),
  example: {
    name: 'web',
    spec: {
      vni: 110,
      vrf: 'red',
      gatewayIPs: ['10.110.0.1/24', 'fd00:110::1/64'],
      hostMaster: { type: 'LinuxBridge', autoCreate: true },
    },
  },
  status,
  columns: [
    { name: 'VNI', type: 'integer', path: '.spec.vni' },
    { name: 'VRF', type: 'string', path: '.spec.vrf' },
    ...stateColumns,
    { name: 'Gateways', type: 'string', path: '.spec.gatewayIPs', wide: true },
    { name: 'Bridge', type: 'string', path: '.spec.hostMaster.name', wide: true },
    reason,
    age,
  ],
  rules: [shortName],
})

type L2VNISpec = z.infer<typeof l2vni.spec>
export type L2VNI = Resource<'L2VNI', L2VNISpec>
