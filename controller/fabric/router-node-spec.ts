/** What a RouterNode's spec says: the numbers that the ledger has, and for people what follows from them. Pure. */
import type { RouterNode } from '../../api/kinds/router-node.ts'
import type { Snapshot } from '../../api/snapshot/snapshot.ts'
import { selects, type LabelSelector } from '../../api/kinds/selector.ts'
import type { NodeFacts } from '../../api/plan/node-facts.ts'
import { hostAddressWriter, type HostAddressWriter } from '../../api/plan/host-address-writer.ts'
import { digestOf } from './digest.ts'
import type { RouterNodeSpec } from './fabric-store.ts'
import { keyOf } from './world.ts'

/** A network that hosts have an address in. */
export interface HostNetwork {
  readonly key: string
  readonly vrf?: string
  readonly selector: LabelSelector | undefined
  readonly writer: HostAddressWriter
}

export interface HostNetworks {
  readonly all: readonly HostNetwork[]
  /** Differs when any of them does. */
  readonly digest: string
}

/** A RouterNode takes no more. */
const MOST_SESSIONS = 4096

export function hostNetworks({ resources }: Snapshot): HostNetworks {
  const all = resources.flatMap((resource): HostNetwork[] => {
    if ((resource.kind !== 'L3VNI' && resource.kind !== 'L3Passthrough') || resource.spec.hostSession === undefined)
      return []
    return [
      {
        key: keyOf({ kind: resource.kind, name: resource.metadata.name }),
        ...(resource.kind === 'L3VNI' ? { vrf: resource.spec.vrf } : {}),
        selector: resource.spec.nodeSelector,
        writer: hostAddressWriter(resource.spec.hostSession),
      },
    ]
  })
  // The first address of a network tells it from all others.
  const said = all.map(({ key, vrf, selector, writer }) => [key, vrf, selector, writer.addresses(0), writer.lastIndex])
  return { all, digest: digestOf(said) }
}

/** `refused`: what is not in the node's plan, by `Kind/name`. */
export function routerNodeSpec(
  { index, labels, vteps = [], routerID }: NodeFacts,
  networks: HostNetworks,
  refused: ReadonlySet<string>,
): RouterNodeSpec {
  const hostSessions = networks.all
    .filter(({ key, selector }) => !refused.has(key) && selects(selector, labels))
    .flatMap(({ vrf, writer }) => {
      const addresses = writer.addresses(index)
      return addresses === undefined ? [] : [{ ...(vrf === undefined ? {} : { vrf }), addresses }]
    })
    .sort((a, b) => ((a.vrf ?? '') < (b.vrf ?? '') ? -1 : 1))
    .slice(0, MOST_SESSIONS)
  return { index, addresses: { vteps, ...(routerID === undefined ? {} : { routerID }), hostSessions } }
}

/** Its numbers as an object of the API. */
export function routerNodeOf(
  name: string,
  index: number,
  vteps: readonly string[],
  routerID: string | undefined,
): RouterNode {
  const addresses = { vteps: [...vteps], ...(routerID === undefined ? {} : { routerID }) }
  return { kind: 'RouterNode', metadata: { name }, spec: { index, addresses } }
}

export function sameNumbers({ spec }: RouterNode, index: number, vteps: readonly string[], routerID?: string): boolean {
  const { addresses } = spec
  return spec.index === index && addresses?.vteps?.join() === vteps.join() && addresses.routerID === routerID
}
