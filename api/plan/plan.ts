/**
 * From everything that users declared to what one node does: pure and deterministic.
 *
 * First the rules of the fabric decide which objects stand, then those of the node; what is left is laid out with the
 * node's numbers. Whatever is refused takes nothing else with it.
 */
import { contains, formatAddress, formatPrefix, networkOf, parseAddress, parsePrefix } from '../address/prefix.ts'
import type { AnyResource, ObjectRef } from '../kinds/kinds.ts'
import type { L2VNI } from '../kinds/l2vni.ts'
import type { L3Passthrough } from '../kinds/l3passthrough.ts'
import type { L3VNI } from '../kinds/l3vni.ts'
import type { HostSession } from '../kinds/session.ts'
import type { Policy } from '../kinds/policy.ts'
import type { Labels } from '../kinds/selector.ts'
import type { Underlay } from '../kinds/underlay.ts'
import { judgeFabric, judgeNode } from '../rules/judge.ts'
import { nameOf, type Violation } from '../rules/violation.ts'
import { compare, type Snapshot } from '../snapshot/snapshot.ts'
import type {
  HostSessionPlan,
  NeighborPlan,
  NodePlan,
  ResourceRef,
  RouterPlan,
  SegmentPlan,
  VrfPlan,
} from './node-plan.ts'
import { gatewayMAC, poolAddress, routerMAC, vrfTables } from './numbers.ts'
import { hostSessionPlan, neighborPlan, passwordOf, type Secrets } from './session.ts'

/** What must be known of a node. */
export interface NodeFacts {
  readonly name: string
  /** From 0; no two nodes share one. */
  readonly index: number
  readonly labels: Labels
}

export interface Planned {
  readonly plan: NodePlan
  /** Sorted by object; what of it is in the plan nevertheless is marked `partial`. */
  readonly refused: readonly Violation[]
}

/** Collects what is left out while the plan is laid out. */
interface Draft {
  readonly node: NodeFacts
  readonly secrets: Secrets
  readonly refused: Violation[]
}

export function plan(snapshot: Snapshot, node: NodeFacts): Planned {
  const fabric = judgeFabric(snapshot)
  const here = judgeNode(fabric.accepted, node)
  const draft: Draft = { node, secrets: snapshot.secrets, refused: [...fabric.refused, ...here.refused] }
  const underlay = here.accepted.find((each) => each.kind === 'Underlay')
  const router = underlay && indexIsFree(draft, underlay, fabric.accepted) ? routerPlan(draft, underlay) : undefined
  const overlay = here.accepted.filter((each) => each.kind !== 'Underlay' && each.kind !== 'RouterNode')
  const planned = router ? overlayPlan(draft, router, overlay) : nothing(draft, overlay)
  return {
    plan: { node: node.name, ...(router ? { router } : {}), ...planned },
    refused: draft.refused.sort(byObject),
  }
}

type Overlay = L3VNI | L2VNI | L3Passthrough

/** Two nodes with the addresses of one would harm the fabric: the node that is not known by the index gets no router. */
function indexIsFree(draft: Draft, underlay: Underlay, fabric: readonly AnyResource[]): boolean {
  const { name, index } = draft.node
  const other = fabric.find(
    (each) => each.kind === 'RouterNode' && each.spec.index === index && each.metadata.name !== name,
  )
  if (!other) return true
  draft.refused.push({
    object: refOf(underlay),
    reason: 'IndexConflict',
    field: 'spec.nodeSelector',
    message: `the index ${index} of node ${name} belongs to RouterNode/${other.metadata.name}`,
    remedy: 'give the node an index that is free',
    other: { kind: 'RouterNode', name: other.metadata.name },
    node: name,
  })
  return false
}

function nothing(draft: Draft, overlay: readonly Overlay[]): Pick<NodePlan, 'vrfs' | 'segments'> {
  for (const each of overlay)
    draft.refused.push({
      object: refOf(each),
      reason: 'NoUnderlay',
      field: 'spec.nodeSelector',
      message: `no Underlay stands on node ${draft.node.name}, which ${nameOf(refOf(each))} selects`,
      remedy: 'add an Underlay that selects the node',
      node: draft.node.name,
      pending: true,
    })
  return { vrfs: [], segments: [] }
}

function routerPlan(draft: Draft, underlay: Underlay): RouterPlan | undefined {
  const { spec } = underlay
  const object = refOf(underlay)
  const { index, name } = draft.node
  const pools = (spec.vtep?.cidrs ?? []).map((cidr) => ({ cidr, address: poolAddress(cidr, index) }))
  const full = pools.find((each) => each.address === undefined)
  const vteps = full ? [] : pools.flatMap((each) => each.address ?? [])
  const ipv4 = vteps.find((vtep) => !vtep.includes(':'))
  const routerID = spec.routerIDCIDR === undefined ? ipv4 : poolAddress(spec.routerIDCIDR, index)
  const part = routerID === undefined ? {} : { partial: true as const }
  if (full) draft.refused.push({ ...poolExhausted(object, 'spec.vtep.cidrs', full.cidr, draft.node), ...part })
  if (routerID === undefined) {
    if (spec.routerIDCIDR !== undefined)
      draft.refused.push(poolExhausted(object, 'spec.routerIDCIDR', spec.routerIDCIDR, draft.node))
    return undefined
  }
  if (!vtepsAreOurs(draft, object, vteps, spec.neighbors)) return undefined
  const neighbors: NeighborPlan[] = []
  for (const [position, neighbor] of spec.neighbors.entries()) {
    const password = passwordOf(neighbor, draft.secrets)
    if ('password' in password) neighbors.push(neighborPlan(neighbor, spec, password.password))
    else
      draft.refused.push(waits(object, `spec.neighbors[${position}].passwordSecret`, password, 'the neighbour', name))
  }
  const { enabled, restartTime, stalePathTime } = spec.gracefulRestart
  return {
    for: object,
    asn: spec.asn,
    routerID,
    vteps,
    vtepPools: pools.map(({ cidr }) => canonicalPool(cidr)).sort(ipv4First),
    routerMAC: routerMAC(vteps[0] ?? routerID),
    interfaces: spec.interfaces.map((each) => each.name).sort(),
    ...(spec.mtu === undefined ? {} : { mtu: spec.mtu }),
    neighbors: neighbors.sort((a, b) => compare(peerKey(a), peerKey(b))),
    ...(enabled ? { gracefulRestart: { restartTimeSeconds: restartTime, stalePathTimeSeconds: stalePathTime } } : {}),
    maximumPaths: spec.maximumPaths,
    multipathRelax: spec.bestPath.multipathRelax,
  }
}

/** A VTEP with the address of a neighbour would make the neighbour the node itself. */
function vtepsAreOurs(draft: Draft, object: ObjectRef, vteps: readonly string[], peers: Underlay['spec']['neighbors']) {
  const ours = new Set(vteps)
  const position = peers.findIndex(({ address }) => address !== undefined && ours.has(canonicalAddress(address)))
  const value = peers[position]?.address
  if (value === undefined) return true
  draft.refused.push({
    object,
    reason: 'SubnetOverlap',
    field: `spec.neighbors[${position}].address`,
    value,
    message: `${value} is also the VTEP address that node ${draft.node.name} gets from spec.vtep.cidrs`,
    remedy: 'use a pool in spec.vtep.cidrs that no neighbour and no NIC has an address in',
    node: draft.node.name,
  })
  return false
}

function overlayPlan(
  draft: Draft,
  router: RouterPlan,
  overlay: readonly Overlay[],
): Pick<NodePlan, 'vrfs' | 'segments' | 'passthrough'> {
  const vnis = overlay.filter((each) => each.kind !== 'L3Passthrough').filter((each) => hasTunnel(draft, router, each))
  const l3vnis = vnis.filter((each) => each.kind === 'L3VNI')
  const l2vnis = vnis.filter((each) => each.kind === 'L2VNI').sort((a, b) => a.spec.vni - b.spec.vni)
  const names = [...l3vnis.map((each) => each.spec.vrf), ...l2vnis.flatMap((each) => each.spec.vrf ?? [])]
  const tables = vrfTables(names)
  const vrfs = [...tables].map(([name, table]): VrfPlan => {
    const l3 = l3vnis.find((each) => each.spec.vrf === name)
    return l3 ? stretchedVrf(draft, router, l3, table) : localVrf(l2vnis, name, table)
  })
  const segments = l2vnis.map(segmentPlan)
  const passthrough = overlay.find((each) => each.kind === 'L3Passthrough')
  const session =
    passthrough &&
    !meetsUnderlay(draft, router, passthrough) &&
    sessionPlan(draft, router, passthrough, passthrough.spec.hostSession)
  return { vrfs, segments, ...(session ? { passthrough: session } : {}) }
}

/** Passthrough shares the default VRF with the underlay, so its network must not contain an address of that. */
function meetsUnderlay(draft: Draft, router: RouterPlan, passthrough: L3Passthrough): boolean {
  const peers = router.neighbors.flatMap(({ peer }) => (peer.type === 'address' ? peer.address : []))
  const { ipv4, ipv6 } = passthrough.spec.hostSession.localCIDR
  const fields = [
    { field: 'spec.hostSession.localCIDR.ipv4', cidr: ipv4 },
    { field: 'spec.hostSession.localCIDR.ipv6', cidr: ipv6 },
  ]
  const met = fields.flatMap(({ field, cidr }) => {
    const prefix = parsePrefix(cidr ?? '')
    const inside = [...router.vteps, ...peers].find((text) => {
      const address = parseAddress(text)
      return prefix && address && contains(prefix, address)
    })
    return cidr === undefined || inside === undefined ? [] : [{ field, cidr, inside }]
  })
  for (const { field, cidr, inside } of met)
    draft.refused.push({
      object: refOf(passthrough),
      reason: 'SubnetOverlap',
      field,
      value: cidr,
      message: `${cidr} contains ${inside} of ${nameOf(router.for)}, and both are in the default VRF`,
      remedy: 'use a network that the underlay does not use',
      other: router.for,
      node: draft.node.name,
    })
  return met.length > 0
}

function hasTunnel(draft: Draft, router: RouterPlan, vni: L3VNI | L2VNI): boolean {
  if (router.vteps.length > 0) return true
  draft.refused.push({
    object: refOf(vni),
    reason: 'NoVTEP',
    field: 'spec.vni',
    value: vni.spec.vni,
    message: `${nameOf(router.for)} has no VTEP address for node ${draft.node.name}`,
    remedy: `give ${nameOf(router.for)} a pool in spec.vtep.cidrs that is large enough`,
    other: router.for,
    node: draft.node.name,
    pending: true,
  })
  return false
}

function stretchedVrf(draft: Draft, router: RouterPlan, l3: L3VNI, table: number): VrfPlan {
  const { spec } = l3
  const policies = { fromHost: spec.exportPolicy, toHost: spec.importPolicy }
  const hostSession = spec.hostSession && sessionPlan(draft, router, l3, spec.hostSession, policies)
  return {
    for: refOf(l3),
    name: spec.vrf,
    table,
    l3vni: { vni: spec.vni, ...(spec.mtu === undefined ? {} : { mtu: spec.mtu }), ...marking(spec) },
    ...(hostSession ? { hostSession } : {}),
  }
}

function localVrf(l2vnis: readonly L2VNI[], name: string, table: number): VrfPlan {
  const owners = l2vnis.filter((each) => each.spec.vrf === name).map((each) => each.metadata.name)
  return { for: { kind: 'L2VNI', name: owners.sort()[0] ?? name }, name, table }
}

function segmentPlan(l2: L2VNI): SegmentPlan {
  const { spec } = l2
  return {
    for: refOf(l2),
    vni: spec.vni,
    ...(spec.vrf === undefined ? {} : { vrf: spec.vrf }),
    gateways: spec.gatewayIPs.map(canonicalGateway).sort(ipv4First),
    gatewayMAC: gatewayMAC(spec.vni),
    ...(spec.hostMaster && {
      hostMaster: {
        type: spec.hostMaster.type,
        name: spec.hostMaster.name ?? `br-hs-${spec.vni}`,
        autoCreate: spec.hostMaster.autoCreate,
      },
    }),
    ...(spec.mtu === undefined ? {} : { mtu: spec.mtu }),
    suppressARP: spec.suppressARP,
    ...marking(spec),
  }
}

/** The session, or undefined when it has to wait; then the reason is noted and the rest of the resource goes on. */
function sessionPlan(
  draft: Draft,
  router: RouterPlan,
  owner: L3VNI | L3Passthrough,
  session: HostSession,
  policies: { readonly fromHost?: Policy | undefined; readonly toHost?: Policy | undefined } = {},
): HostSessionPlan | undefined {
  const object = refOf(owner)
  const part = owner.kind === 'L3VNI' ? { partial: true as const } : {}
  const password = passwordOf(session, draft.secrets)
  if (!('password' in password)) {
    const field = 'spec.hostSession.passwordSecret'
    const { partial: _, ...whole } = waits(object, field, password, 'the host session', draft.node.name)
    draft.refused.push({ ...whole, ...part })
    return undefined
  }
  const context = { asn: router.asn, index: draft.node.index, password: password.password, ...policies }
  const planned = hostSessionPlan(object, session, context)
  if (!planned) {
    const cidrs = [session.localCIDR.ipv4, session.localCIDR.ipv6].filter((each) => each !== undefined).join(', ')
    draft.refused.push({ ...poolExhausted(object, 'spec.hostSession.localCIDR', cidrs, draft.node), ...part })
  }
  return planned
}

function marking(spec: L3VNI['spec'] | L2VNI['spec']) {
  return {
    ...(spec.routeDistinguisher === undefined ? {} : { routeDistinguisher: spec.routeDistinguisher }),
    importTargets: [...(spec.routeTargets?.import ?? [])].sort(),
    exportTargets: [...(spec.routeTargets?.export ?? [])].sort(),
  }
}

function poolExhausted(object: ObjectRef, field: string, value: string, node: NodeFacts): Violation {
  return {
    object,
    reason: 'PoolExhausted',
    field,
    value,
    message: `has no address for node ${node.name} with index ${node.index}`,
    remedy: 'use a larger network, or give the node a smaller index',
    node: node.name,
  }
}

function waits(
  object: ObjectRef,
  field: string,
  why: { readonly reason: Violation['reason']; readonly message: string },
  what: string,
  node: string,
): Violation {
  return {
    object,
    reason: why.reason,
    field,
    message: `${why.message}; ${what} waits for it`,
    remedy: 'create the Secret with that key',
    node,
    pending: true,
    partial: true,
  }
}

function refOf(resource: Underlay | Overlay): ResourceRef {
  return { kind: resource.kind, name: resource.metadata.name }
}

function canonicalAddress(text: string): string {
  const address = parseAddress(text)
  return address ? formatAddress(address) : text
}

function canonicalPool(text: string): string {
  const prefix = parsePrefix(text)
  return prefix ? formatPrefix(networkOf(prefix)) : text
}

function canonicalGateway(text: string): string {
  const prefix = parsePrefix(text)
  return prefix ? formatPrefix(prefix) : text
}

const ipv4First = (a: string, b: string): number => Number(a.includes(':')) - Number(b.includes(':')) || compare(a, b)

function peerKey({ peer }: NeighborPlan): string {
  return peer.type === 'address' ? peer.address : peer.type === 'interface' ? peer.interface : peer.prefix
}

function byObject(a: Violation, b: Violation): number {
  return compare(nameOf(a.object), nameOf(b.object)) || compare(a.field, b.field) || compare(a.message, b.message)
}
