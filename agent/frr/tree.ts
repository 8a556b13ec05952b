/** FRR's configuration as a tree: a line, and the lines that stand in its block. */
import type { ResourceRef } from '../../api/plan/node-plan.ts'

export interface Block {
  /** Canonical text, exactly as FRR's `show running-config` prints it, without indentation. The root's is empty. */
  readonly line: string
  /** The resource the line serves; absent in what is read back from FRR. */
  readonly for?: ResourceRef
  readonly body: readonly Block[]
}

export type Daemon = 'mgmtd' | 'zebra' | 'bgpd' | 'bfdd'

/** One line to enter, where, in which daemons, and what takes it back. */
export interface Command {
  /** The block lines to enter first, outermost first: `['router bgp 64514 vrf red', 'address-family l2vpn evpn']`. */
  readonly context: readonly string[]
  readonly line: string
  /** Lines to enter in the same context, in order; they may open and close blocks of their own. */
  readonly undo: readonly string[]
  readonly daemons: readonly Daemon[]
  readonly for?: ResourceRef
}

/** A line with nothing in its block. */
export function leaf(line: string, ref?: ResourceRef): Block {
  return block(line, [], ref)
}

export function block(line: string, body: readonly Block[], ref?: ResourceRef): Block {
  return ref === undefined ? { line, body } : { line, for: ref, body }
}

export function root(body: readonly Block[]): Block {
  return { line: '', body }
}

/**
 * The line that closes a block, or undefined when `line` opens none. The same words may do either: `vni 100` in a VRF
 * is a line of its own, in `address-family l2vpn evpn` it opens a block.
 */
export function closingOf(context: readonly string[], line: string): string | undefined {
  if (context.length === 0) {
    if (line.startsWith('vrf ')) return 'exit-vrf'
    return /^(bfd$|router |route-map \S+ (permit|deny) \d+$|interface |segment-routing$)/.test(line)
      ? 'exit'
      : undefined
  }
  if (context[0]?.startsWith('router bgp')) {
    if (context.length === 1 && line.startsWith('address-family ')) return 'exit-address-family'
    if (context.length === 2 && context[1] === 'address-family l2vpn evpn' && /^vni \d+$/.test(line)) return 'exit-vni'
    return undefined
  }
  return context[0] === 'bfd' && context.length === 1 && /^(profile|peer) /.test(line) ? 'exit' : undefined
}
