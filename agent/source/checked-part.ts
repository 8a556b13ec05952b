/**
 * Whether a piece of a plan that came over the wire is one that this agent can lay out: under its own key, with the
 * fields that everything else is built on. Fields that are unknown here are a newer controller's and passed over.
 */
import type { HostSessionPlan, RouterPlan, SegmentPlan, VrfPlan } from '../../api/plan/node-plan.ts'
import { PieceError, segmentKey, unknownPiece, vrfKey } from '../../api/plan/pieces.ts'
import {
  either,
  flag,
  integer,
  list,
  name,
  object,
  oneOf,
  optional,
  positive,
  text,
  variants,
  type Shape,
} from './shape.ts'

const texts = list(text)
const ref = object({ kind: oneOf('Underlay', 'L3VNI', 'L2VNI', 'L3Passthrough'), name: name() })
const sessionOptions = {
  remoteAS: either(integer, oneOf('internal', 'external')),
  timers: optional(object({ keepaliveSeconds: integer, holdSeconds: integer })),
  connectSeconds: integer,
  password: optional(text),
  bfd: optional(
    object({
      receiveIntervalMs: integer,
      transmitIntervalMs: integer,
      detectMultiplier: integer,
      passive: flag,
      minimumTTL: optional(integer),
    }),
  ),
}
const policy = object({
  prefixes: list(object({ cidr: text, ge: optional(integer), le: optional(integer), action: oneOf('Permit', 'Deny') })),
  maxPrefixes: optional(integer),
})
const hostSession = object({
  ...sessionOptions,
  for: ref,
  asn: integer,
  routerAddresses: texts,
  hostAddresses: texts,
  fromHost: policy,
  toHost: policy,
  allowDefault: flag,
})
const marking = { routeDistinguisher: optional(text), importTargets: texts, exportTargets: texts }
const neighbor = object({
  ...sessionOptions,
  peer: variants({ address: { address: text }, interface: { interface: text }, range: { prefix: text } }),
  port: optional(integer),
  ebgpMultiHop: flag,
  families: list(oneOf('IPv4Unicast', 'IPv6Unicast', 'L2VPNEVPN')),
  routeReflectorClient: flag,
  allowASIn: flag,
})
const shapes: Readonly<Record<Part['kind'], Shape>> = {
  router: object({
    for: ref,
    asn: integer,
    routerID: text,
    vteps: texts,
    vtepPools: texts,
    routerMAC: text,
    interfaces: texts,
    mtu: optional(integer),
    neighbors: list(neighbor),
    gracefulRestart: optional(object({ restartTimeSeconds: integer, stalePathTimeSeconds: integer })),
    maximumPaths: integer,
    multipathRelax: flag,
  }),
  vrf: object({
    for: ref,
    name: name(15),
    table: positive,
    l3vni: optional(object({ vni: integer, mtu: optional(integer), ...marking })),
    hostSession: optional(hostSession),
  }),
  segment: object({
    ...marking,
    for: ref,
    vni: integer,
    vrf: optional(text),
    gateways: texts,
    gatewayMAC: text,
    hostMaster: optional(object({ type: oneOf('LinuxBridge', 'OVSBridge'), name: text, autoCreate: flag })),
    mtu: optional(integer),
    suppressARP: flag,
  }),
  passthrough: hostSession,
}

/** What is in a piece, by its kind. */
export type Part =
  | { readonly kind: 'router'; readonly value: RouterPlan }
  | { readonly kind: 'vrf'; readonly value: VrfPlan }
  | { readonly kind: 'segment'; readonly value: SegmentPlan }
  | { readonly kind: 'passthrough'; readonly value: HostSessionPlan }

/** What came under the key, fields that are unknown here included. @throws PieceError naming the piece and the field */
export function checkedPart(key: string, value: object): Part {
  const kind = kindOf(key)
  const wrong = shapes[kind](value)
  if (wrong !== undefined) {
    const { path, message } = wrong
    throw new PieceError(`the plan's piece ${JSON.stringify(key)} makes no sense: ${path.join('.')} ${message}`)
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
