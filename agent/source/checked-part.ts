/**
 * Whether a piece of a plan that came over the wire is one that this agent can lay out: under its own key, with the
 * fields that everything else is built on. Fields that are unknown here are a newer controller's and passed over.
 */
import * as z from 'zod'
import type { HostSessionPlan, RouterPlan, SegmentPlan, VrfPlan } from '../../api/plan/node-plan.ts'
import { PieceError, segmentKey, unknownPiece, vrfKey } from '../../api/plan/pieces.ts'

const texts = z.array(z.string())
const ref = z.object({ kind: z.enum(['Underlay', 'L3VNI', 'L2VNI', 'L3Passthrough']), name: z.string().min(1) })
const sessionOptions = {
  remoteAS: z.union([z.int(), z.enum(['internal', 'external'])]),
  timers: z.object({ keepaliveSeconds: z.int(), holdSeconds: z.int() }).optional(),
  connectSeconds: z.int(),
  password: z.string().optional(),
  bfd: z
    .object({
      receiveIntervalMs: z.int(),
      transmitIntervalMs: z.int(),
      detectMultiplier: z.int(),
      passive: z.boolean(),
      minimumTTL: z.int().optional(),
    })
    .optional(),
}
const policy = z.object({
  prefixes: z.array(
    z.object({ cidr: z.string(), ge: z.int().optional(), le: z.int().optional(), action: z.enum(['Permit', 'Deny']) }),
  ),
  maxPrefixes: z.int().optional(),
})
const hostSession = z.object({
  ...sessionOptions,
  for: ref,
  asn: z.int(),
  routerAddresses: texts,
  hostAddresses: texts,
  fromHost: policy,
  toHost: policy,
  allowDefault: z.boolean(),
})
const marking = { routeDistinguisher: z.string().optional(), importTargets: texts, exportTargets: texts }
const peer = z.discriminatedUnion('type', [
  z.object({ type: z.literal('address'), address: z.string() }),
  z.object({ type: z.literal('interface'), interface: z.string() }),
  z.object({ type: z.literal('range'), prefix: z.string() }),
])
const schemas = {
  router: z.object({
    for: ref,
    asn: z.int(),
    routerID: z.string(),
    vteps: texts,
    vtepPools: texts,
    routerMAC: z.string(),
    interfaces: texts,
    mtu: z.int().optional(),
    neighbors: z.array(
      z.object({
        ...sessionOptions,
        peer,
        port: z.int().optional(),
        ebgpMultiHop: z.boolean(),
        families: z.array(z.enum(['IPv4Unicast', 'IPv6Unicast', 'L2VPNEVPN'])),
        routeReflectorClient: z.boolean(),
        allowASIn: z.boolean(),
      }),
    ),
    gracefulRestart: z.object({ restartTimeSeconds: z.int(), stalePathTimeSeconds: z.int() }).optional(),
    maximumPaths: z.int(),
    multipathRelax: z.boolean(),
  }),
  vrf: z.object({
    for: ref,
    name: z.string().min(1).max(15),
    table: z.int().min(1),
    l3vni: z.object({ vni: z.int(), mtu: z.int().optional(), ...marking }).optional(),
    hostSession: hostSession.optional(),
  }),
  segment: z.object({
    ...marking,
    for: ref,
    vni: z.int(),
    vrf: z.string().optional(),
    gateways: texts,
    gatewayMAC: z.string(),
    hostMaster: z
      .object({ type: z.enum(['LinuxBridge', 'OVSBridge']), name: z.string(), autoCreate: z.boolean() })
      .optional(),
    mtu: z.int().optional(),
    suppressARP: z.boolean(),
  }),
  passthrough: hostSession,
} as const

/** What is in a piece, by its kind. */
export type Part =
  | { readonly kind: 'router'; readonly value: RouterPlan }
  | { readonly kind: 'vrf'; readonly value: VrfPlan }
  | { readonly kind: 'segment'; readonly value: SegmentPlan }
  | { readonly kind: 'passthrough'; readonly value: HostSessionPlan }

/** What came under the key, fields that are unknown here included. @throws PieceError naming the piece and the field */
export function checkedPart(key: string, value: object): Part {
  const kind = kindOf(key)
  const result = schemas[kind].safeParse(value)
  if (!result.success) {
    const issue = result.error.issues[0]
    const field = issue?.path.join('.') ?? ''
    throw new PieceError(`the plan's piece ${JSON.stringify(key)} makes no sense: ${field}: ${issue?.message ?? ''}`)
  }
  const part = { kind, value } as Part
  if (keyOf(part) !== key)
    throw new PieceError(`the plan's piece ${JSON.stringify(key)} holds something of another name`)
  return part
}

function kindOf(key: string): Part['kind'] {
  if (key === 'router' || key === 'passthrough') return key
  if (key.startsWith('vrf/')) return 'vrf'
  if (key.startsWith('segment/')) return 'segment'
  throw unknownPiece(key)
}

function keyOf(part: Part): string {
  switch (part.kind) {
    case 'vrf':
      return vrfKey(part.value.name)
    case 'segment':
      return segmentKey(part.value.vni)
    default:
      return part.kind
  }
}
