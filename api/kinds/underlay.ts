/** The node's place in the fabric: ASN, neighbours, NICs, and where its VTEP address comes from. */
import * as z from 'zod'
import { parseAddress, parsePrefix, type Address } from '../address/prefix.ts'
import { cel, exactlyOne, type CelRule } from './cel.ts'
import { defineKind, shortName, type Resource } from './kind.ts'
import { address, asn, linkName, pool, poolIPv4, prefix } from './scalars.ts'
import { nodeSelector } from './selector.ts'
import { sessionFields, sessionRules } from './session.ts'
import { age, reason, stateColumns, status } from './status.ts'

const neighbor = z
  .strictObject({
    address: address.optional().describe('The neighbour by its address.'),
    interface: linkName.optional().describe('BGP unnumbered: the neighbour at the other end of this NIC.'),
    listenRange: prefix.optional().describe('Any neighbour that connects from this prefix.'),
    asn: asn.optional().describe("The neighbour's ASN."),
    type: z.enum(['Internal', 'External']).optional().describe('Internal: same ASN as ours. External: any other.'),
    port: z.int().min(1).max(65535).optional().describe('TCP port. Default: 179.'),
    ebgpMultiHop: z.boolean().default(false).describe('The neighbour is more than one hop away.'),
    ...sessionFields,
    addressFamilies: z
      .array(z.enum(['IPv4Unicast', 'IPv6Unicast', 'L2VPNEVPN']))
      .min(1)
      .max(3)
      .optional()
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('Default: the families of the session and of the VTEPs, and always L2VPNEVPN.'),
    routeReflectorClient: z.boolean().default(false).describe('Reflect routes to this internal neighbour.'),
    allowASIn: z
      .boolean()
      .optional()
      .describe('Accept routes with our own ASN in their path. Default: on for external neighbours.'),
  })
  .meta(
    cel(
      exactlyOne(['address', 'interface', 'listenRange'], 'set one of them'),
      exactlyOne(['asn', 'type'], 'set asn to a number, or type to Internal or External'),
      ...sessionRules,
      {
        rule: '!has(self.port) || has(self.address)',
        message: 'port needs an address to connect to',
        remedy: 'remove port, or give the neighbour by address',
        fieldPath: '.port',
      },
      {
        rule: '!self.ebgpMultiHop || !has(self.interface)',
        message: 'a neighbour on a NIC is one hop away',
        remedy: 'remove ebgpMultiHop, or give the neighbour by address',
        fieldPath: '.ebgpMultiHop',
      },
    ),
  )

const internal = "(has(n.type) ? n.type == 'Internal' : has(n.asn) && n.asn == self.asn)"

const neighborRules: readonly CelRule[] = [
  {
    rule: `self.neighbors.all(n, !n.routeReflectorClient || ${internal})`,
    message: 'routeReflectorClient is only for internal neighbours',
    remedy: 'remove it, or make the neighbour internal (type: Internal)',
    fieldPath: '.neighbors',
  },
  {
    rule: `self.neighbors.all(n, !n.ebgpMultiHop || !${internal})`,
    message: 'ebgpMultiHop is only for external neighbours',
    remedy: 'remove it: internal neighbours may be any number of hops away',
    fieldPath: '.neighbors',
  },
]

export const underlay = defineKind({
  name: 'Underlay',
  plural: 'underlays',
  shortNames: ['ul'],
  description:
    'The session with the fabric: ASN, neighbours, which NIC moves into the router, where VTEP addresses come from. At most one for a node.',
  spec: z
    .strictObject({
      nodeSelector,
      asn: asn.describe('ASN of the nodes.'),
      interfaces: z
        .array(z.strictObject({ name: linkName.describe('Name of the NIC in the host.') }))
        .max(16)
        .default([])
        .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
        .describe('NICs that move into the router; they go back as they came.'),
      routerIDCIDR: poolIPv4
        .optional()
        .describe(
          'IPv4 pool of router IDs; node N (from 0) gets address 1 + N. May be extended: IDs in use stay. Default: the IPv4 VTEP address; a pool that is added later changes the IDs, which restarts the BGP sessions.',
        ),
      vtep: z
        .strictObject({
          cidrs: z
            .array(pool)
            .min(1)
            .max(2)
            .meta({ 'x-kubernetes-list-type': 'set' })
            .describe(
              'One pool, or one for each family; node N (from 0) gets address 1 + N. May be extended: addresses in use stay. The first one carries the tunnels.',
            ),
        })
        .optional()
        .meta(
          cel({
            rule: "size(self.cidrs) < 2 || self.cidrs[0].contains(':') != self.cidrs[1].contains(':')",
            message: 'both pools are of one family',
            remedy: 'keep one of them, or replace the other by one of the other family',
            fieldPath: '.cidrs',
          }),
        )
        .describe('Where the tunnels begin and end. Required once a VNI selects the node.'),
      mtu: z
        .int()
        .min(1280)
        .max(65535)
        .optional()
        .describe('MTU of the underlay. Default: the smallest of the interfaces. The overlay has 50 less (IPv6: 70).'),
      neighbors: z
        .array(neighbor)
        .min(1)
        .max(128)
        .meta({ 'x-kubernetes-list-type': 'atomic' })
        .describe('BGP sessions with the fabric.')
        .superRefine(neighborsDiffer),
      gracefulRestart: z
        .strictObject({
          enabled: z.boolean().default(true).describe('Whether the fabric keeps our routes while FRR restarts.'),
          restartTime: z.int().min(1).max(4095).default(120).describe('Seconds in which we promise to be back.'),
          stalePathTime: z
            .int()
            .min(1)
            .max(4095)
            .default(360)
            .describe("Seconds for which a restarting neighbour's routes are kept."),
        })
        .prefault({})
        .describe('BGP graceful restart (RFC 4724).'),
      bestPath: z
        .strictObject({
          multipathRelax: z
            .boolean()
            .default(true)
            .describe('Balance over paths of equal length through different ASNs.'),
        })
        .prefault({})
        .describe('How the best path is chosen.'),
      maximumPaths: z.int().min(1).max(256).default(64).describe('Paths to balance over.'),
    })
    .meta(
      cel(...neighborRules, {
        rule: "has(self.routerIDCIDR) || (has(self.vtep) && self.vtep.cidrs.exists(c, !c.contains(':')))",
        message: 'there is no IPv4 pool to take the router ID from',
        remedy: 'set routerIDCIDR to an IPv4 prefix, such as 10.0.0.0/24, or add an IPv4 pool to vtep.cidrs',
        fieldPath: '.routerIDCIDR',
      }),
    ),
  example: {
    name: 'fabric',
    spec: {
      asn: 64514,
      interfaces: [{ name: 'eth1' }],
      vtep: { cidrs: ['100.65.0.0/24'] },
      neighbors: [{ address: '192.168.10.1', type: 'External' }],
    },
  },
  status,
  columns: [
    { name: 'ASN', type: 'integer', path: '.spec.asn' },
    ...stateColumns,
    { name: 'Interfaces', type: 'string', path: '.spec.interfaces[*].name', wide: true },
    { name: 'VTEPs', type: 'string', path: '.spec.vtep.cidrs', wide: true },
    reason,
    age,
  ],
  rules: [shortName],
})

export type Neighbor = z.infer<typeof neighbor>
export type UnderlaySpec = z.infer<typeof underlay.spec>
export type Underlay = Resource<'Underlay', UnderlaySpec>

/** Canonical text of what a neighbour is known by: `fd00::1` and `FD00:0::1` are the same neighbour. */
function identity(each: {
  readonly address?: string | undefined
  readonly interface?: string | undefined
  readonly listenRange?: string | undefined
}): string | undefined {
  const number = (value: Address | undefined) => value && `${value.family}/${value.value}`
  if (each.address !== undefined) return number(parseAddress(each.address))
  if (each.interface !== undefined) return each.interface
  const range = parsePrefix(each.listenRange ?? '')
  return range && `${number(range) ?? ''}/${range.length}`
}

function neighborsDiffer(neighbors: readonly Neighbor[], context: z.RefinementCtx): void {
  const seen = new Map<string, number>()
  for (const [index, each] of neighbors.entries()) {
    const id = identity(each)
    const before = id === undefined ? undefined : seen.get(id)
    if (before !== undefined)
      context.addIssue({
        code: 'custom',
        path: [index],
        message: `is the same neighbour as neighbors[${before}]`,
        params: { remedy: 'remove one of them' },
      })
    else if (id !== undefined) seen.set(id, index)
  }
}
