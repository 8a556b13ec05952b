/** Which commands for one daemon go together: in one commit, or one behind the other without waiting for answers. */
import { closingOf } from './tree.ts'
import type { Command } from './tree.ts'

/**
 * What mgmtd may take as one change. `no vni 100` and `vni 150` are not: as one they become a change of a value, for
 * which zebra makes the new VNI without letting go of the old one (zebra/zebra_nb_config.c, lib_vrf_zebra_l3vni_id_modify).
 */
export function commitsOf(commands: readonly Command[]): readonly (readonly Command[])[] {
  const isVni = ({ context, line }: Command, prefix: string): boolean =>
    context[0]?.startsWith('vrf ') === true && line.startsWith(prefix)
  const lastGone = commands.findLastIndex((command) => isVni(command, 'no vni '))
  const comes = commands.some((command) => isVni(command, 'vni '))
  if (lastGone < 0 || !comes) return pieces(commands)
  return [...pieces(commands.slice(0, lastGone + 1)), ...pieces(commands.slice(lastGone + 1))]
}

/**
 * What a commit costs grows with the square of what is in it, beside a fixed part: neither one for each line nor one for
 * all of them (FRR 10.3).
 */
const COMMIT = 50

function pieces(commands: readonly Command[]): readonly (readonly Command[])[] {
  return Array.from({ length: Math.ceil(commands.length / COMMIT) }, (_, at) =>
    commands.slice(at * COMMIT, (at + 1) * COMMIT),
  )
}

/** Whether the command makes the BGP instance of a VRF. */
export function makesInstance({ context, line }: Command): boolean {
  return context.length === 0 && /^router bgp \d+ vrf /.test(line)
}

/** So many instances are made before the first of them gets its lines: its sessions wait for no more than these. */
const TOGETHER = 16

/** The next commands that make instances, as far as nothing but lines of such instances stands between them. */
export function instancesFrom(commands: readonly Command[], at: number): readonly Command[] {
  const found: Command[] = []
  for (const command of commands.slice(at)) {
    if (makesInstance(command)) found.push(command)
    else if (!/^router bgp \d+ vrf /.test(command.context[0] ?? '')) break
    if (found.length === TOGETHER) break
  }
  return found
}

/** Whether the command enters a block, so that the lines behind it depend on how it went. */
export function opensBlock({ context, line }: Command): boolean {
  return closingOf(context, line) !== undefined
}

/** Whether the command takes a BGP instance away. */
export function removesInstance({ context, line }: Command): boolean {
  return context.length === 0 && line.startsWith('no router bgp ')
}
