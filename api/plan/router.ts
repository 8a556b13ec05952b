/** The router of a node, from its Underlay. */
import { canonicalAddress } from '../address/prefix.ts'
import type { Underlay } from '../kinds/underlay.ts'
import { refOf, type Violation } from '../rules/violation.ts'
import { compare } from '../snapshot/snapshot.ts'
import type { NodeFacts } from './node-facts.ts'
import type { NeighborPlan, ResourceRef, RouterPlan } from './node-plan.ts'
import { numberTaken, type NumberHolders } from './number-holders.ts'
import { routerMAC } from './numbers.ts'
import { poolNumbers } from './pool.ts'
import { waits } from './refusals.ts'
import { neighborPlan, passwordOf, type Secrets } from './session.ts'

export interface PlannedRouter {
  /** Absent: the node can have none, and `refused` says why. */
  readonly router?: RouterPlan
  /** The addresses that it has, or would have. */
  readonly vteps: readonly string[]
  readonly refused: readonly Violation[]
}

export function plannedRouter(
  underlay: Underlay,
  node: NodeFacts,
  secrets: Secrets,
  holders: NumberHolders,
): PlannedRouter {
  const { spec } = underlay
  const object: ResourceRef = { kind: 'Underlay', name: underlay.metadata.name }
  const { vteps, routerID, vtepPools, refused } = poolNumbers(underlay, node)
  const taken = numberTaken(object, node, vteps, holders)
  if (taken) return { vteps, refused: [taken] }
  if (routerID === undefined) return { vteps, refused }
  const meeting = vtepOfNeighbor(underlay, node, vteps)
  if (meeting) return { vteps, refused: [...refused, meeting] }
  const { neighbors, waiting } = neighborPlans(underlay, secrets)
  const { enabled, restartTime, stalePathTime } = spec.gracefulRestart
  const router: RouterPlan = {
    for: object,
    asn: spec.asn,
    routerID,
    vteps,
    vtepPools,
    routerMAC: routerMAC(vteps[0] ?? routerID),
    interfaces: spec.interfaces.map((each) => each.name).sort(),
    ...(spec.mtu === undefined ? {} : { mtu: spec.mtu }),
    neighbors,
    ...(enabled ? { gracefulRestart: { restartTimeSeconds: restartTime, stalePathTimeSeconds: stalePathTime } } : {}),
    maximumPaths: spec.maximumPaths,
    multipathRelax: spec.bestPath.multipathRelax,
  }
  return { router, vteps, refused: [...refused, ...waiting] }
}

function neighborPlans(underlay: Underlay, secrets: Secrets) {
  const neighbors: NeighborPlan[] = []
  const waiting: Violation[] = []
  for (const [position, neighbor] of underlay.spec.neighbors.entries()) {
    const password = passwordOf(neighbor, secrets)
    const field = `spec.neighbors[${position}].passwordSecret`
    if ('password' in password) neighbors.push(neighborPlan(neighbor, underlay.spec, password.password))
    else waiting.push(waits(refOf(underlay), field, password, 'the neighbour'))
  }
  return { neighbors: neighbors.sort((a, b) => compare(peerKey(a), peerKey(b))), waiting }
}

/** A VTEP with the address of a neighbour would make the neighbour the node itself. */
function vtepOfNeighbor(underlay: Underlay, node: NodeFacts, vteps: readonly string[]): Violation | undefined {
  const peers = underlay.spec.neighbors
  const position = peers.findIndex(({ address }) => address !== undefined && vteps.includes(canonicalAddress(address)))
  const value = peers[position]?.address
  if (value === undefined) return undefined
  return {
    object: refOf(underlay),
    reason: 'SubnetOverlap',
    field: `spec.neighbors[${position}].address`,
    value,
    message: `${value} is also the VTEP address that node ${node.name} gets from spec.vtep.cidrs`,
    remedy: 'use a pool in spec.vtep.cidrs that no neighbour and no NIC has an address in',
    node: node.name,
  }
}

function peerKey({ peer }: NeighborPlan): string {
  return peer.type === 'address' ? peer.address : peer.type === 'interface' ? peer.interface : peer.prefix
}
