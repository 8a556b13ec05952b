/** When a command is entered: lower phases first. The order is FRR's demand, the reasons stand at each phase. */
import { compare } from '../../api/snapshot/snapshot.ts'
import type { Command } from './tree.ts'

/**
 * The commands in FRR's order. The lines of a VRF's instance stay together, so that its sessions wait for no other VRF;
 * in it `activate` comes last: a session must not come up for a family before its policy stands.
 */
export function inOrder(commands: readonly Command[]): Command[] {
  return commands
    .map((command) => ({ command, ...placeOf(command) }))
    .toSorted((a, b) => a.phase - b.phase || compare(a.instance, b.instance) || a.last - b.last)
    .map(({ command }) => command)
}

function placeOf(command: Command): { phase: number; instance: string; last: 0 | 1 } {
  const { context, line } = command
  const phase = phaseOf(command)
  const comes = phase === phases.instanceComes || phase === phases.vrfInstanceComes
  return { phase, instance: comes ? (context[0] ?? line) : '', last: comes && line.endsWith(' activate') ? 1 : 0 }
}

/** Entered in a BGP instance that goes next. */
export const SHUTDOWN = 'bgp shutdown'

function phaseOf({ context, line }: Command): number {
  const outermost = context[0] ?? line.replace(/^no /, '')
  const removal = removes(context, line)
  const [word = ''] = outermost.split(' ')
  switch (word) {
    case 'vrf':
      // bgpd keeps an instance until its VNI is gone, and makes one of its own, with the default ASN, for a VNI that
      // comes before its instance.
      return removal ? phases.vniGoes : phases.vniComes
    case 'router':
      return routerPhase(context, line, removal)
    case 'bfd':
      return removal && context.length === 1 ? phases.profileGoes : phases.profileComes
    case 'route-map':
      return removal && context.length === 0 ? phases.mapGoes : phases.mapComes
    default:
      return removal ? phases.listGoes : phases.listComes
  }
}

function routerPhase(context: readonly string[], line: string, removal: boolean): number {
  const inVrf = / vrf \S+$/.test(context[0] ?? line)
  if ((removal && context.length === 0) || line === SHUTDOWN)
    return inVrf ? phases.vrfInstanceGoes : phases.instanceGoes
  if (removal) return phases.lineGoes
  // Before this line bgpd does not hear of VNIs, so it makes no VRF instance with an ASN of its own choice.
  if (line === 'advertise-all-vni') return phases.vnisHeard
  // bgpd takes a VNI's own lines only in the instance that advertises VNIs.
  if (/^vni \d+$/.test(context[2] ?? line)) return phases.vnisHeard + 1
  return inVrf ? phases.vrfInstanceComes : phases.instanceComes
}

/** `no bgp default ipv4-unicast` and its like are settings, not removals. */
function removes(context: readonly string[], line: string): boolean {
  return context[0]?.startsWith('router') ? line.startsWith('no ') && !settings.has(line) : line.startsWith('no ')
}

const settings: ReadonlySet<string> = new Set([
  'no bgp ebgp-requires-policy',
  'no bgp default ipv4-unicast',
  'no bgp network import-check',
])

const phases = {
  vniGoes: 0,
  vrfInstanceGoes: 10,
  instanceGoes: 20,
  lineGoes: 30,
  // Before what uses them.
  profileComes: 40,
  listComes: 50,
  mapComes: 60,
  instanceComes: 70,
  vrfInstanceComes: 80,
  vnisHeard: 90,
  vniComes: 100,
  // After nothing uses them any more.
  mapGoes: 110,
  listGoes: 120,
  profileGoes: 130,
} as const
