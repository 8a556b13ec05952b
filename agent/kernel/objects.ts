/**
 * The router's state in the kernel's words: what `desired` makes of a plan, what `observe` reads, what `diff` compares.
 *
 * Each object has a key (`keyOf`) that says which object it is, and fields that say how it is. Plain readonly data.
 */
import type { ResourceRef } from '../../api/plan/node-plan.ts'

/** `router` is the named network namespace the agent owns; `host` is the one the agent runs in. */
export type Namespace = 'router' | 'host'

interface Owned {
  readonly for: ResourceRef
}

interface LinkCommon extends Owned {
  readonly type: 'link'
  readonly namespace: Namespace
  readonly name: string
  readonly mtu?: number
  readonly mac?: string
  /** Name of the bridge or VRF it is enslaved to, in the same namespace; absent: to none (by nodeleaf). */
  readonly master?: string
  readonly up: boolean
  /** `none` for devices that must make no link-local address (kernel: IFLA_INET6_ADDR_GEN_MODE). */
  readonly addrGenMode?: 'eui64' | 'none'
}

export type LinkObject = LinkCommon &
  (
    | { readonly kind: 'dummy' }
    | { readonly kind: 'vrf'; readonly table: number }
    | {
        readonly kind: 'bridge'
        /** Absent, like the next three: as the kernel has it. */
        readonly mcastSnooping?: boolean
        readonly vlanFiltering?: boolean
        /** 0: ports join no VLAN by themselves. */
        readonly vlanDefaultPvid?: number
        /**
         * Hundredths of a second. 0: the kernel tells of a port that came up once, and not again when this is over, though
         * without STP it forwards at once (net/bridge/br_stp.c, br_make_forwarding).
         */
        readonly forwardDelay?: number
      }
    | {
        readonly kind: 'vxlan'
        /** Absent: it carries many, those of its VNI filter (`external vnifilter`). */
        readonly vni?: number
        readonly local: string
        readonly port: number
        readonly bridgePort: BridgePort
      }
    /** The end in the router's namespace makes the pair; the other is then configured. */
    | {
        readonly kind: 'veth'
        readonly peer: { readonly namespace: Namespace; readonly name: string }
        readonly bridgePort?: BridgePort
        /** The only VLAN that the port is in, pvid and untagged. Observed as 0: in others. Absent: in none. */
        readonly vlan?: number
      }
    /** A bridge's own end of one of its VLANs (SVI): `ip link add NAME link PARENT type vlan id VID`. */
    | { readonly kind: 'vlan'; readonly parent: string; readonly vid: number }
    /** `lo` of the router: always there, only brought up. */
    | { readonly kind: 'loopback' }
    /** A NIC that was moved into the router; never created or deleted, only brought and given back. */
    | { readonly kind: 'nic' }
  )

export interface BridgePort {
  readonly learning: boolean
  readonly neighSuppress: boolean
  /** The port's VLANs are VNIs: for a VXLAN device that carries many. */
  readonly vlanTunnel: boolean
}

/**
 * All that makes one VNI one VLAN of a shard, which is a VLAN-aware bridge and its VXLAN device: made, changed and
 * deleted as one. What is wanted has `port`, `tunnel` and `filter`; what is observed may lack some, and then be without
 * VLAN (0: the filter has a VNI that no VLAN stands for) or VNI (0: a VLAN stands for none).
 */
export interface VlanObject extends Owned {
  readonly type: 'vlan'
  readonly namespace: 'router'
  readonly bridge: string
  readonly vxlan: string
  readonly vid: number
  readonly vni: number
  /** The VXLAN device's port is in the VLAN: `bridge vlan add dev VXLAN vid VID`. */
  readonly port: boolean
  /** `bridge vlan add dev VXLAN vid VID tunnel_info id VNI` */
  readonly tunnel: boolean
  /** `bridge vni add dev VXLAN vni VNI` */
  readonly filter: boolean
  /** The bridge is in the VLAN itself, as it has an SVI there: `bridge vlan add dev BRIDGE vid VID self`. */
  readonly self: boolean
  /**
   * What the bridge takes for its own in the VLAN beside its own MAC, sorted: that of the SVI. Without it packets to the
   * gateway are flooded to all VTEPs: `bridge fdb add MAC dev BRIDGE vlan VID self permanent`.
   */
  readonly macs: readonly string[]
}

export interface AddressObject extends Owned {
  readonly type: 'address'
  readonly namespace: Namespace
  readonly link: string
  /** With prefix length, canonical text: `192.169.10.1/24`. */
  readonly address: string
  /** Other end of a point-to-point link. */
  readonly peer?: string
  readonly noPrefixRoute: boolean
  /** Skip duplicate address detection (anycast gateways, VTEPs). IPv6 only. */
  readonly noDad: boolean
}

export interface RouteObject extends Owned {
  readonly type: 'route'
  readonly namespace: Namespace
  readonly table: number
  /** Canonical prefix: `0.0.0.0/0`, `::/0`. */
  readonly destination: string
  readonly metric: number
  readonly target:
    | { readonly type: 'unreachable' }
    | { readonly type: 'link'; readonly link: string }
    | { readonly type: 'via'; readonly gateway: string; readonly link?: string }
}

export interface SysctlObject extends Owned {
  readonly type: 'sysctl'
  readonly namespace: Namespace
  /** Path below /proc/sys: `net/ipv4/ip_forward`. */
  readonly path: string
  readonly value: string
  /** Why it is needed; shown by `nodeleaf plan --kernel`. */
  readonly reason: string
  /** Kernels without it do without it. */
  readonly optional: boolean
}

/** A routing rule that keeps VRFs apart, and where it stands (vrf-rules.ts). */
export interface RuleObject extends Owned {
  readonly type: 'rule'
  readonly namespace: Namespace
  /** `closing`: what a VRF's table does not have is unreachable. `own`: the lookup of the namespace's own addresses. */
  readonly purpose: 'closing' | 'own'
  readonly family: 4 | 6
  readonly priority: number
}

/** What is always there and only set, never made or deleted. */
export type Setting = SysctlObject | RuleObject

export type KernelObject = LinkObject | VlanObject | AddressObject | RouteObject | Setting

export function isSetting(object: KernelObject): object is Setting {
  return object.type === 'sysctl' || object.type === 'rule'
}

/** A NIC as it was before it moved into the router. */
export interface NicFacts {
  readonly mtu: number
  /** What it carries in the router too: its addresses, and its routes through gateways but for default ones. */
  readonly addresses: readonly Pick<AddressObject, 'address' | 'peer' | 'noPrefixRoute'>[]
  readonly routes: readonly { readonly destination: string; readonly metric: number; readonly gateway: string }[]
}

/** What `desired` must know of the machine beside the plan. */
export interface MachineFacts {
  /** By name; a NIC that is not there is absent. `{ nics: {} }` will do to show a plan. */
  readonly nics: Readonly<Record<string, NicFacts>>
  readonly datapath: Datapath
}

/**
 * How VNIs are laid out in the kernel: `per-vni` is a bridge and a VXLAN device for each; `single` are VLANs of a few
 * bridges that have one VXLAN device each, and then `places` says where VNIs are already, so that they stay.
 */
export type Datapath =
  { readonly shape: 'per-vni' } | { readonly shape: 'single'; readonly places: ReadonlyMap<number, Place> }

export type DatapathShape = Datapath['shape']

/** Where a VNI is in the single shape. */
export interface Place {
  readonly shard: number
  readonly vid: number
}

/** When an operation runs relative to FRR's configuration (order that FRR survives). */
export type Stage =
  /** Before FRR: VRFs, bridges and VXLAN devices, down; the NICs. */
  | 'create'
  /** After FRR is told of the VNIs: VLANs, links up, veths that are routed or a bridge's only port, addresses, routes. */
  | 'raise'
  /**
   * After zebra knows the VNIs: ports of shards. For each VNI that comes up zebra reads all that the VNI's bridge
   * forwards (zebra_evpn_read_mac_neigh), and each port has two entries there: with ports first, that grows with the
   * square of how many there are of both.
   */
  | 'plug'
  /** After FRR has let go: deletions. */
  | 'remove'

export function keyOf(object: KernelObject): string {
  switch (object.type) {
    case 'link':
      return linkKey(object.namespace, object.name)
    case 'vlan':
      return ['vlan', object.bridge, object.vid, object.vni].join(' ')
    case 'address':
      return ['address', object.namespace, object.link, object.address].join(' ')
    case 'route':
      return ['route', object.namespace, object.table, object.destination, object.metric].join(' ')
    case 'sysctl':
      return ['sysctl', object.namespace, object.path].join(' ')
    case 'rule':
      return ['rule', object.namespace, object.purpose, object.family].join(' ')
  }
}

/** Joined, not a template: thousands are kept, and a text that is one piece takes half the memory (V8's ConsString). */
export function linkKey(namespace: Namespace, name: string): string {
  return ['link', namespace, name].join(' ')
}

/** Links that are made up at once, before FRR: the underlay, which no VNI hangs on, and bridges of the host. */
export function isEarly(link: Pick<LinkObject, 'kind' | 'namespace'>): boolean {
  return (
    link.kind === 'loopback' ||
    link.kind === 'dummy' ||
    link.kind === 'nic' ||
    (link.kind === 'bridge' && link.namespace === 'host')
  )
}

/** Names of the links an object hangs on. */
export function linksOf(object: Exclude<KernelObject, LinkObject>): string[] {
  if (object.type === 'address') return [object.link]
  if (object.type === 'vlan') return [object.bridge, object.vxlan]
  if (isSetting(object) || object.target.type === 'unreachable') return []
  return object.target.link === undefined ? [] : [object.target.link]
}
