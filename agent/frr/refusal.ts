/** What became of a command, and what a refused one takes back. */
import { neighborOf, removalOf } from './grammar.ts'
import type { Block, Command } from './tree.ts'

export interface CommandResult {
  readonly command: Command
  /**
   * `refused`: FRR did not take it. `undone`: it was taken, then taken back because another line of the same resource
   * was refused. `skipped`: the block it stands in could not be entered. `warned` never leaves `Frr.apply`.
   */
  readonly outcome: 'ok' | 'refused' | 'undone' | 'skipped' | 'warned'
  /** FRR's own text, passwords left out. */
  readonly text: string
}

/**
 * The commands to take back, last entered first: those that were taken of every group with a refused one.
 *
 * A group is a resource. The Underlay's lines carry everybody, so of it only the neighbour that a refused line is about
 * is a group, and its other lines are never taken back.
 */
export function undoPlan(results: readonly CommandResult[]): readonly Command[] {
  const failed = new Set(
    results
      .filter(({ outcome }) => outcome === 'refused' || outcome === 'skipped')
      .map(({ command }) => groupOf(command)),
  )
  failed.delete(undefined)
  return results
    .filter(({ outcome, command }) => outcome === 'ok' && failed.has(groupOf(command)))
    .map(({ command }) => command)
    .toReversed()
}

/** Undefined for commands that are never taken back. */
function groupOf({ for: ref, line, context }: Command): string | undefined {
  if (ref === undefined) return undefined
  if (ref.kind !== 'Underlay') return `${ref.kind}/${ref.name}`
  const neighbor = context[0]?.startsWith('router bgp') ? neighborOf(line) : undefined
  return neighbor && `${ref.kind}/${ref.name}/${neighbor}`
}

/** Whether what runs is as if the command had been taken. */
export function takenEffect({ context, line }: Command, running: Block): boolean {
  let body = running.body
  for (const outer of context) body = body.find((block) => block.line === outer)?.body ?? []
  if (body.some((block) => block.line === line)) return true
  if (!line.startsWith('no ')) return false
  return !body.some((block) => removalOf(block.line) === line || `no ${block.line}` === line)
}
