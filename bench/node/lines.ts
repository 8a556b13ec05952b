/** FRR's lines for `vtysh -f`: the floor. Pure. */
import type { Command } from '../../agent/frr/tree.ts'
import { closingOf } from '../../agent/frr/tree.ts'

/** The commands' own lines in the commands' order, each in its block; a block that stays the same stays open. */
export function vtyshText(commands: readonly Command[]): string {
  const text: string[] = []
  let open: readonly string[] = []
  const move = (to: readonly string[]): void => {
    const same = open.findIndex((line, at) => line !== to[at])
    const kept = same === -1 ? open.length : same
    for (let at = open.length - 1; at >= kept; at--) text.push(closingOf(open.slice(0, at), open[at] ?? '') ?? 'exit')
    for (const line of to.slice(kept)) text.push(line)
    open = to
  }
  for (const { context, line } of commands) {
    move(context)
    // A line that opens a block and stands for itself leaves us in it.
    text.push(line)
    if (closingOf(context, line) !== undefined) open = [...context, line]
  }
  move([])
  return `${text.join('\n')}\n`
}
