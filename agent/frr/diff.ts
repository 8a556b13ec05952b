/**
 * Two trees to the commands that make one of the other: pure, in an order that FRR survives, each with its inverse.
 */
import { ownership } from './daemons.ts'
import { differing } from './differing.ts'
import { blockRemovalOf, makesNeighbor, neighborOf, placeOf, removalOf } from './grammar.ts'
import { inOrder, SHUTDOWN } from './order.ts'
import { lines } from './text.ts'
import { closingOf } from './tree.ts'
import type { Ownership } from './daemons.ts'
import type { Block, Command } from './tree.ts'
import type { ResourceRef } from '../../api/plan/node-plan.ts'

/** A line where it stands. */
interface Statement {
  readonly context: readonly string[]
  /** The lines of `context`, joined. */
  readonly within: string
  readonly block: Block
}

/**
 * Commands that turn `have` into `want`; none when they say the same, in whatever order.
 * @param owner which daemon takes which line: `Frr.ownership` of the FRR the commands are for. What nobody takes is left out.
 */
export function diff(want: Block, have: Block, owner: Ownership = ownership): readonly Command[] {
  if (want === have) return []
  const parts = differing(want, have)
  return commandsFor(parts.want, parts.have, owner)
}

/** The same without leaving out first what is equal. */
export function commandsFor(want: Block, have: Block, owner: Ownership = ownership): readonly Command[] {
  const wanted = statements(want)
  const present = statements(have)
  const gone = goneBlocks(wanted, present)
  const left = without(present, gone)
  const lost = goneNeighbors(wanted, left)
  const kept = left.filter((statement) => !lost.has(neighborKey(statement)))
  const resources = new Map(wanted.map((statement) => [pathOf(statement), statement.block.for]))
  const heads = new Map(want.body.toReversed().map((block) => [block.line, block.for]))

  const commands: Command[] = []
  const add = (context: readonly string[], line: string, undo: readonly string[], ref: ResourceRef | undefined) => {
    const daemons = owner(context[0] ?? line)
    // Nobody is there to take it.
    if (daemons.length === 0) return
    commands.push(ref === undefined ? { context, line, undo, daemons } : { context, line, undo, daemons, for: ref })
  }
  /** What stands around a removed line says whom it served. */
  const around = (context: readonly string[]) => resources.get(context.join('\n')) ?? heads.get(context[0] ?? '')

  for (const { context, block } of gone) {
    if (hasSessions(block)) add([...context, block.line], SHUTDOWN, [`no ${SHUTDOWN}`], around(context))
    const removal = blockRemovalOf(block.line) ?? removalOf(block.line)
    add(context, removal, script(block, context), around(context))
  }
  for (const { context, removals } of lost.values()) {
    for (const { line, undo } of removals) add(context, line, undo, around(context))
  }

  const keptByPlace = new Map(kept.map((statement) => [keyOf(statement), statement]))
  const wantedByPlace = new Set(wanted.map(keyOf))
  // Backwards: what was entered last depends on what was entered first.
  for (const statement of kept.toReversed()) {
    if (wantedByPlace.has(keyOf(statement))) continue
    const { context, block } = statement
    add(context, removalOf(block.line), [block.line], around(context))
  }
  for (const statement of wanted) {
    const { context, block } = statement
    const was = keptByPlace.get(keyOf(statement))?.block.line
    if (was === block.line) continue
    const made = blockRemovalOf(block.line) !== undefined && closingOf(context, block.line) !== undefined
    const undo = was ?? (made ? `no ${block.line}` : removalOf(block.line))
    add(context, block.line, [undo], block.for)
  }
  return inOrder(commands)
}

/**
 * With graceful restart on, `no router bgp` just closes its connections, and the neighbours keep our routes for a
 * restart that never comes (RFC 4724 section 4.2). This tells them that it is for good: a NOTIFICATION that is a hard
 * reset (RFC 8538; bgpd/bgp_packet.c, bgp_notify_send_hard_reset).
 */
const hasSessions = ({ line, body }: Block): boolean =>
  line.startsWith('router bgp ') && body.some((child) => neighborOf(child.line) !== undefined)

const pathOf = ({ within, block }: Statement): string => (within === '' ? block.line : `${within}\n${block.line}`)

function keyOf({ within, block }: Statement): string {
  return within === '' ? placeOf(block.line) : `${within}\n${placeOf(block.line)}`
}

/** All lines that are entered: those in blocks, and those that make blocks. */
function statements(tree: Block): readonly Statement[] {
  const found: Statement[] = []
  const walk = (body: readonly Block[], context: readonly string[], within: string): void => {
    for (const block of body) {
      const statement = { context, within, block }
      const opens = closingOf(context, block.line) !== undefined
      if (!opens || blockRemovalOf(block.line) !== undefined) found.push(statement)
      if (opens) walk(block.body, [...context, block.line], pathOf(statement))
    }
  }
  walk(tree.body, [], '')
  return found
}

/**
 * Blocks that go as a whole, and the VNIs of VRFs whose BGP instance goes: bgpd lets go of an instance only after its
 * VNI, and of the default instance only after all others.
 */
function goneBlocks(wanted: readonly Statement[], present: readonly Statement[]): readonly Statement[] {
  const names = new Set(wanted.map(pathOf))
  const made = present.filter(({ context, block }) => closingOf(context, block.line) !== undefined)
  const missing = made.filter((statement) => !names.has(pathOf(statement)))
  const defaultGoes = missing.some(({ block }) => /^router bgp \d+$/.test(block.line))
  const instances = defaultGoes ? made.filter(({ block }) => /^router bgp \d+ vrf /.test(block.line)) : []
  const going = [...new Set([...missing, ...instances])]
  const paths = new Set(going.map(pathOf))
  const outermost = going.filter(({ context }) => !isInside(context, paths))
  const vrfs = new Set(outermost.map(({ block }) => / vrf (\S+)$/.exec(block.line)?.[1]))
  const vnis = present.filter(({ context, block }) => {
    const vrf = /^vrf (\S+)$/.exec(context[0] ?? '')?.[1]
    return vrf !== undefined && vrfs.has(vrf) && block.line.startsWith('vni ')
  })
  return [...vnis, ...outermost]
}

function without(present: readonly Statement[], gone: readonly Statement[]): readonly Statement[] {
  if (gone.length === 0) return present
  const paths = new Set(gone.map(pathOf))
  return present.filter((statement) => !paths.has(pathOf(statement)) && !isInside(statement.context, paths))
}

/** Whether the context is one of the blocks, or in one of them. */
function isInside(context: readonly string[], paths: ReadonlySet<string>): boolean {
  return context.some((_, at) => paths.has(context.slice(0, at + 1).join('\n')))
}

interface GoneNeighbor {
  readonly context: readonly string[]
  readonly removals: readonly Pick<Command, 'line' | 'undo'>[]
}

/** BGP instance and neighbour that the line is about; '' when it is about none. */
function neighborKey({ context, block }: Statement): string {
  const name = neighborOf(block.line)
  return name === undefined || context[0] === undefined ? '' : `${context[0]}\n${name}`
}

/**
 * Neighbours that go, or come back as something else (another AS, another kind): FRR would keep a part of what hung
 * on the old one, so they go with all their lines and are made anew. The session resets either way.
 */
function goneNeighbors(wanted: readonly Statement[], left: readonly Statement[]): ReadonlyMap<string, GoneNeighbor> {
  const making = (all: readonly Statement[]) => {
    const made = all.filter(({ context, block }) => context.length === 1 && makesNeighbor(block.line))
    return new Map([...grouped(made)].map(([key, own]) => [key, own.map(({ block }) => block.line).toSorted()]))
  }
  const staying = making(wanted)
  const going = [...making(left)].filter(([key, made]) => staying.get(key)?.join('\n') !== made.join('\n'))
  if (going.length === 0) return new Map()
  const groups = grouped(left)
  return new Map(going.map(([key, made]) => [key, goneNeighbor(key, made, groups.get(key) ?? [])]))
}

function grouped(all: readonly Statement[]): ReadonlyMap<string, readonly Statement[]> {
  const groups = new Map<string, Statement[]>()
  for (const statement of all) {
    const key = neighborKey(statement)
    if (key === '') continue
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [statement])
    else group.push(statement)
  }
  return groups
}

function goneNeighbor(key: string, made: readonly string[], own: readonly Statement[]): GoneNeighbor {
  const [instance = ''] = key.split('\n')
  const group = made.find((line) => line.endsWith(' peer-group'))
  const ranges = own.map(({ block }) => block.line).filter((line) => line.startsWith('bgp listen range '))
  const removals = [
    // A peer group goes only after its ranges.
    ...ranges.map((line) => ({ line: removalOf(line), undo: [line] })),
    {
      line: removalOf(group ?? made[0] ?? ''),
      undo: neighborScript(own.filter(({ block }) => !ranges.includes(block.line))),
    },
  ]
  return { context: [instance], removals }
}

/** The lines of a neighbour, to be entered in its BGP instance. */
function neighborScript(own: readonly Statement[]): string[] {
  const families = new Map<string, string[]>()
  for (const { context, block } of own) {
    const family = context[1] ?? ''
    families.set(family, [...(families.get(family) ?? []), block.line])
  }
  return [...families].flatMap(([family, body]) => (family === '' ? body : [family, ...body, 'exit-address-family']))
}

function script(block: Block, context: readonly string[]): string[] {
  return lines(block, context)
    .map((line) => line.trim())
    .filter((line) => line !== '!')
}
