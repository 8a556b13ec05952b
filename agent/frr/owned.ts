/** Which part of a running FRR's configuration is nodeleaf's. */
import { root } from './tree.ts'
import type { Block } from './tree.ts'

/**
 * The blocks that nodeleaf compares and changes.
 *
 * In both modes: every `router bgp` (this FRR stands in the router's namespace, there is no other use for BGP in it) and
 * the `vni` of every `vrf`. Prefix lists, route maps and BFD profiles: all of them in an FRR that nodeleaf manages;
 * only those named `nodeleaf-` in one that somebody else configures too. Any other line is nobody's business here.
 */
export function ours(tree: Block, mode: 'managed' | 'external'): Block {
  const named = (line: string) => mode === 'managed' || /(^| )(prefix-list|route-map|profile) nodeleaf-/.test(line)
  const body = tree.body.flatMap((block) => {
    if (block.line.startsWith('router bgp ')) return [block]
    if (/^(ip|ipv6) prefix-list \S+ seq |^route-map /.test(block.line)) return named(block.line) ? [block] : []
    if (block.line.startsWith('vrf ')) return part(block, (line) => /^vni \d+$/.test(line))
    if (block.line === 'bfd') return part(block, (line) => line.startsWith('profile ') && named(line))
    return []
  })
  return root(body)
}

function part(block: Block, keep: (line: string) => boolean): Block[] {
  const body = block.body.filter((child) => keep(child.line))
  return body.length === 0 ? [] : [{ ...block, body }]
}
