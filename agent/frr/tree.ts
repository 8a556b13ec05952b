/** FRR's configuration as a tree: a line, and the lines that stand in its block. */
import type { ResourceRef } from '../../api/plan/node-plan.ts'

export interface Block {
  /** Canonical text, exactly as FRR's `show running-config` prints it, without indentation. The root's is empty. */
  readonly line: string
  /** The resource the line serves; absent in what is read back from FRR. */
  readonly for?: ResourceRef
  readonly body: readonly Block[]
}

export type Daemon = 'mgmtd' | 'zebra' | 'bgpd' | 'bfdd' | 'staticd'

/** One line to enter, where, in which daemons, and what takes it back. */
export interface Command {
  /** The block lines to enter first, outermost first: `['router bgp 64514 vrf red', 'address-family l2vpn evpn']`. */
  readonly context: readonly string[]
  readonly line: string
  readonly undo: readonly string[]
  readonly daemons: readonly Daemon[]
  readonly for?: ResourceRef
}
