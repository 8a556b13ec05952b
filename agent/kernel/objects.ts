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
        /** Absent: as the kernel has it. */
        readonly mcastSnooping?: boolean
      }
    | {
        readonly kind: 'vxlan'
        readonly vni: number
        readonly local: string
        readonly port: number
        readonly bridgePort: BridgePort
      }
    /** The end in the router's namespace makes the pair; the other is then configured. */
    | {
        readonly kind: 'veth'
        readonly peer: { readonly namespace: Namespace; readonly name: string }
        readonly bridgePort?: BridgePort
      }
    /** `lo` of the router: always there, only brought up. */
    | { readonly kind: 'loopback' }
    /** A NIC that was moved into the router; never created or deleted, only brought and given back. */
    | { readonly kind: 'nic' }
  )

export interface BridgePort {
  readonly learning: boolean
  readonly neighSuppress: boolean
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

/** Where the lookup of the namespace's own addresses stands among the routing rules; the kernel's own place is 0. */
export interface LocalRuleObject extends Owned {
  readonly type: 'rule'
  readonly namespace: Namespace
  readonly family: 4 | 6
  readonly priority: number
}

/** What is always there and only set, never made or deleted. */
export type Setting = SysctlObject | LocalRuleObject

export type KernelObject = LinkObject | AddressObject | RouteObject | Setting

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
}

/** When an operation runs relative to FRR's configuration (order that FRR survives). */
export type Stage =
  /** Before FRR: VRFs, bridges and VXLAN devices, down; the NICs. */
  | 'create'
  /** After FRR knows the VNIs: links up, veths, addresses, routes. */
  | 'raise'
  /** After FRR has let go: deletions. */
  | 'remove'

export function keyOf(object: KernelObject): string {
  const { type, namespace } = object
  switch (object.type) {
    case 'link':
      return `${type} ${namespace} ${object.name}`
    case 'address':
      return `${type} ${namespace} ${object.link} ${object.address}`
    case 'route':
      return `${type} ${namespace} ${object.table} ${object.destination} ${object.metric}`
    case 'sysctl':
      return `${type} ${namespace} ${object.path}`
    case 'rule':
      return `${type} ${namespace} local ${object.family}`
  }
}

export function linkKey(namespace: Namespace, name: string): string {
  return `link ${namespace} ${name}`
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
  if (isSetting(object) || object.target.type === 'unreachable') return []
  return object.target.link === undefined ? [] : [object.target.link]
}
