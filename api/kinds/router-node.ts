/** A node as nodeleaf numbers it. The controller writes one for each Node; in static mode files may stand in for it. */
import * as z from 'zod'
import { cel } from './cel.ts'
import { defineKind, type Resource } from './kind.ts'
import { address } from './scalars.ts'
import { age, conditions, ready } from './status.ts'

const word = z.string().max(253)
const number = z.int().min(0)

const failure = z.strictObject({
  kind: word.describe('Kind of the resource.'),
  name: word.describe('Its name.'),
  reason: word.describe('Why, in one CamelCase word.'),
  message: z.string().max(4096).describe('Why, for people.'),
})

const session = z.strictObject({
  peer: word.describe('Address or interface of the neighbour.'),
  vrf: word.optional().describe('Absent: the default VRF.'),
  state: word.describe("BGP's state: Established, Active and so on."),
  since: z.string().max(64).optional().meta({ format: 'date-time' }).describe('When it came into that state.'),
  prefixesReceived: number.optional().describe('Prefixes received.'),
  prefixesSent: number.optional().describe('Prefixes sent.'),
  bfd: word.optional().describe('State of BFD, where it is on.'),
})

const vniState = z.strictObject({
  vni: number.describe('The VNI.'),
  type: z.enum(['L2', 'L3']).describe('Bridged or routed.'),
  state: word.describe('State in FRR.'),
  vteps: number.optional().describe('Remote VTEPs.'),
  macs: number.optional().describe('MAC addresses known.'),
})

const list = <Item extends z.ZodType>(item: Item, max: number) =>
  z.array(item).max(max).optional().meta({ 'x-kubernetes-list-type': 'atomic' })

/** Written down, so that nobody has to compute them and a pool that grows moves none of them. */
const addresses = z
  .strictObject({
    vteps: list(address, 2).describe('VTEP addresses, one a family. They stay while they are in use.'),
    routerID: address.optional().describe('Router ID. It stays while it is in use.'),
    hostSessions: list(
      z.strictObject({
        vrf: word.optional().describe('Absent: the default VRF.'),
        addresses: list(word, 2).describe("The host's addresses, with prefix length."),
      }),
      4096,
    ).describe("The host's side of its sessions. For people: they follow from the index."),
  })
  .meta(
    cel(
      {
        rule: "!has(self.vteps) || size(self.vteps) < 2 || self.vteps[0].contains(':') != self.vteps[1].contains(':')",
        message: 'both VTEP addresses are of one family',
        remedy: 'keep one of them, or replace the other by one of the other family',
        fieldPath: '.vteps',
      },
      {
        rule: "!has(self.routerID) || !self.routerID.contains(':')",
        message: 'a router ID is written like an IPv4 address (RFC 4271)',
        remedy: 'use an IPv4 address, such as 10.0.0.1, or leave it out',
        fieldPath: '.routerID',
      },
    ),
  )

export const routerNode = defineKind({
  name: 'RouterNode',
  plural: 'routernodes',
  shortNames: ['rn'],
  description: 'A node as nodeleaf numbers it: its index, its addresses, and how its router fares.',
  spec: z.strictObject({
    index: z
      .int()
      .min(0)
      .max(16777215)
      .describe(
        'The number of the node, from 0; no two nodes share one. Its VTEP is address 1 + index of the pool, its host sessions address 2 + index.',
      ),
    addresses: addresses
      .optional()
      .describe('The addresses of the node. Written by the controller; absent, they follow from the index.'),
  }),
  example: { name: 'node1', spec: { index: 0 } },
  status: z.strictObject({
    conditions: conditions.describe('Connected: its agent is. Ready: all that it should do works.'),
    revision: z
      .strictObject({
        desired: word.optional().describe('What the node should have.'),
        applied: word.optional().describe('What it has.'),
        lastGood: word.optional().describe('What it would boot into.'),
      })
      .optional()
      .describe('Revisions of the plan.'),
    failures: list(failure, 1024).describe('What does not work, and why.'),
    sessions: list(session, 1024).describe('BGP sessions.'),
    vnis: list(vniState, 8192).describe('VNIs.'),
    versions: z
      .strictObject({
        agent: word.optional().describe('Of nodeleaf.'),
        frr: word.optional().describe('Of FRR.'),
        kernel: word.optional().describe('Of Linux.'),
        datapath: word.optional().describe('Shape of the data path.'),
      })
      .optional()
      .describe('What runs there.'),
  }),
  columns: [
    { name: 'Index', type: 'integer', path: '.spec.index' },
    ready,
    { name: 'VTEPs', type: 'string', path: '.spec.addresses.vteps', wide: true },
    { name: 'Applied', type: 'string', path: '.status.revision.applied', wide: true },
    { name: 'FRR', type: 'string', path: '.status.versions.frr', wide: true },
    age,
  ],
  rules: [],
})

type RouterNodeSpec = z.infer<typeof routerNode.spec>
export type RouterNode = Resource<'RouterNode', RouterNodeSpec>
