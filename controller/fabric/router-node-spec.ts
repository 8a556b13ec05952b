/** What a RouterNode's spec says: the numbers that the ledger has, and for people what follows from them. Pure. */
import type { RouterNode } from '../../api/kinds/router-node.ts'
import type { Snapshot } from '../../api/snapshot/snapshot.ts'
import { selects, type LabelSelector } from '../../api/kinds/selector.ts'
import type { NodeFacts } from '../../api/plan/node-facts.ts'
import { sessionHostAddress } from '../../api/plan/numbers.ts'
import { digestOf } from './digest.ts'
import type { RouterNodeSpec } from './fabric-store.ts'
import { keyOf } from './world.ts'

/** A network that hosts have an address in. */
export interface HostNetwork {
  readonly key: string
  readonly vrf?: string
  readonly selector: LabelSelector | undefined
  readonly cidrs: readonly string[]
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
    const { ipv4, ipv6 } = resource.spec.hostSession.localCIDR
    return [
      {
        key: keyOf({ kind: resource.kind, name: resource.metadata.name }),
        ...(resource.kind === 'L3VNI' ? { vrf: resource.spec.vrf } : {}),
        selector: resource.spec.nodeSelector,
        cidrs: [ipv4, ipv6].filter((each) => each !== undefined),
      },
    ]
  })
  return { all, digest: digestOf(all) }
}

/** `refused`: what is not in the node's plan, by `Kind/name`. */
export function routerNodeSpec(
  { index, labels, vteps = [], routerID }: NodeFacts,
  networks: HostNetworks,
  refused: ReadonlySet<string>,
): RouterNodeSpec {
  const hostSessions = networks.all
    .filter(({ key, selector }) => !refused.has(key) && selects(selector, labels))
    .flatMap(({ vrf, cidrs }) => {
      const addresses = cidrs.flatMap((cidr) => hostAddress(cidr, index) ?? [])
      return addresses.length === 0 ? [] : [{ ...(vrf === undefined ? {} : { vrf }), addresses }]
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

function hostAddress(cidr: string, index: number): string | undefined {
  const address = sessionHostAddress(cidr, index)
  return address === undefined ? undefined : `${address}/${cidr.slice(cidr.indexOf('/') + 1)}`
}
