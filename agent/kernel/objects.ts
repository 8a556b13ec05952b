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
  /** Name of the bridge or VRF it is enslaved to, in the same namespace. */
  readonly master?: string
  readonly up: boolean
  /** `none` for devices that must carry no link-local address (kernel: IFLA_INET6_ADDR_GEN_MODE). */
  readonly addrGenMode?: 'eui64' | 'none'
}

export type LinkObject = LinkCommon &
  (
    | { readonly kind: 'dummy' }
    | { readonly kind: 'vrf'; readonly table: number }
    | { readonly kind: 'bridge'; readonly vlanFiltering: boolean }
    | {
        readonly kind: 'vxlan'
        readonly vni: number
        readonly local: string
        readonly port: number
        readonly bridgePort: BridgePort
      }
    | {
        readonly kind: 'veth'
        readonly peer: { readonly namespace: Namespace; readonly name: string }
        readonly bridgePort?: BridgePort
      }
    /** An 802.1Q sub-interface of `parent`. */
    | { readonly kind: 'vlan'; readonly parent: string; readonly id: number }
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
  readonly noPrefixRoute?: boolean
  /** Skip duplicate address detection (anycast gateways, VTEPs). IPv6 only. */
  readonly noDad?: boolean
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
}

export type KernelObject = LinkObject | AddressObject | RouteObject | SysctlObject

/** What `desired` must know of the machine beside the plan. */
export interface MachineFacts {
  /** MTU of the NICs by name, as recorded before they moved; a NIC that is not there is absent. */
  readonly nicMTU: Readonly<Record<string, number>>
}

/** When an operation runs relative to FRR's configuration (order that FRR survives). */
export type Stage =
  /** Before FRR: VRFs, bridges and VXLAN devices, down; the NICs. */
  | 'create'
  /** After FRR knows the VNIs: links up, veths, addresses, routes. */
  | 'raise'
  /** After FRR has let go: deletions. */
  | 'remove'
