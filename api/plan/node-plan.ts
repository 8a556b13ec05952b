/**
 * What one node is told: the only thing that crosses from planning to the agent.
 *
 * Everything is resolved here: no selector, pool or reference is left. All lists are sorted by their key, so equal
 * plans are equal JSON. The data is plain and readonly; `revisionOf` hashes it.
 */

/** The resource that something on a node serves: `L3VNI/red`. */
export interface ResourceRef {
  readonly kind: 'Underlay' | 'L3VNI' | 'L2VNI' | 'L3Passthrough'
  readonly name: string
}

export interface NodePlan {
  readonly node: string
  /** Absent when no Underlay selects the node: then there are no VRFs, segments and passthrough either. */
  readonly router?: RouterPlan
  /** Sorted by name. */
  readonly vrfs: readonly VrfPlan[]
  /** Layer 2 segments, sorted by VNI. */
  readonly segments: readonly SegmentPlan[]
  readonly passthrough?: HostSessionPlan
}

export interface RouterPlan {
  readonly for: ResourceRef
  readonly asn: number
  /** IPv4 notation. */
  readonly routerID: string
  /** Addresses without a prefix length, at most one a family; the first is the source of the VXLAN tunnels. */
  readonly vteps: readonly string[]
  /** Where the VTEP addresses of all nodes come from: nobody but nodes may announce anything in there. */
  readonly vtepPools: readonly string[]
  /** The router's MAC in type-5 and symmetric IRB type-2 routes; one a node, derived from the VTEP. */
  readonly routerMAC: string
  /** Names of the NICs that move into the router. */
  readonly interfaces: readonly string[]
  /** Set by the user; otherwise the smallest MTU of the NICs. */
  readonly mtu?: number
  readonly neighbors: readonly NeighborPlan[]
  /** Absent when switched off. */
  readonly gracefulRestart?: { readonly restartTimeSeconds: number; readonly stalePathTimeSeconds: number }
  readonly maximumPaths: number
  readonly multipathRelax: boolean
}

export type Peer =
  | { readonly type: 'address'; readonly address: string }
  /** BGP unnumbered (RFC 5549 next hops over a link-local session). */
  | { readonly type: 'interface'; readonly interface: string }
  | { readonly type: 'range'; readonly prefix: string }

export type AddressFamily = 'IPv4Unicast' | 'IPv6Unicast' | 'L2VPNEVPN'

/** What underlay neighbours and host sessions have in common. */
export interface SessionOptions {
  readonly remoteAS: number | 'internal' | 'external'
  readonly timers?: { readonly keepaliveSeconds: number; readonly holdSeconds: number }
  readonly connectSeconds: number
  /** Plain text: must never be printed, logged or reported. `redacted(plan)` is for showing. */
  readonly password?: string
  readonly bfd?: BfdPlan
}

export interface BfdPlan {
  readonly receiveIntervalMs: number
  readonly transmitIntervalMs: number
  readonly detectMultiplier: number
  readonly passive: boolean
  readonly minimumTTL?: number
}

export interface NeighborPlan extends SessionOptions {
  readonly peer: Peer
  readonly port?: number
  readonly ebgpMultiHop: boolean
  readonly families: readonly AddressFamily[]
  readonly routeReflectorClient: boolean
  readonly allowASIn: boolean
}

/** An IP-VRF of the node. With `l3vni` it is stretched over the fabric, without it is local to the node. */
export interface VrfPlan {
  /** The L3VNI, or the first (by name) L2VNI that makes the VRF. */
  readonly for: ResourceRef
  readonly name: string
  /** Kernel routing table: a stable function of the name, never 0 or 253..255. */
  readonly table: number
  readonly l3vni?: {
    readonly vni: number
    readonly mtu?: number
  } & RouteTargets
  readonly hostSession?: HostSessionPlan
}

/** Empty lists and an absent RD mean auto. */
export interface RouteTargets {
  readonly routeDistinguisher?: string
  readonly importTargets: readonly string[]
  readonly exportTargets: readonly string[]
}

/** A veth between router and host with a BGP session on it; in a VRF for an L3VNI, in the default VRF for passthrough. */
export interface HostSessionPlan extends SessionOptions {
  readonly for: ResourceRef
  /** The router's side of the session. */
  readonly asn: number
  /** With prefix length, at most one a family: `192.169.10.1/24`. The same on every node. */
  readonly routerAddresses: readonly string[]
  /** With prefix length, same order and families as `routerAddresses`. This node's own. */
  readonly hostAddresses: readonly string[]
  /** What the host may announce into the VPN (`fromHost`) and what it is told (`toHost`). */
  readonly fromHost: PolicyPlan
  readonly toHost: PolicyPlan
  /** Whether a default route from the host is accepted. */
  readonly allowDefault: boolean
}

export interface PolicyPlan {
  /** First match wins; empty: everything passes. After a non-empty list everything else is denied. */
  readonly prefixes: readonly {
    readonly cidr: string
    readonly ge?: number
    readonly le?: number
    readonly action: 'Permit' | 'Deny'
  }[]
  readonly maxPrefixes?: number
}

/** A MAC-VRF: a stretched layer 2 segment. */
export interface SegmentPlan extends RouteTargets {
  readonly for: ResourceRef
  readonly vni: number
  readonly vrf?: string
  /** With prefix length, at most one a family. */
  readonly gateways: readonly string[]
  /** The anycast gateway's MAC, a function of the VNI: the same on every node. */
  readonly gatewayMAC: string
  readonly hostMaster?: {
    readonly type: 'LinuxBridge' | 'OVSBridge'
    readonly name: string
    readonly autoCreate: boolean
  }
  readonly mtu?: number
  readonly suppressARP: boolean
}
