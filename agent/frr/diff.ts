/**
 * Two trees to the commands that make one of the other: pure, in an order that FRR survives, each with its inverse.
 */
import { ownership } from './daemons.ts'
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
  readonly block: Block
}

/**
 * Commands that turn `have` into `want`; none when they say the same, in whatever order.
 * @param owner which daemon takes which line: `Frr.ownership` of the FRR the commands are for.
 */
export function diff(want: Block, have: Block, owner: Ownership = ownership): readonly Command[] {
  const gone = goneBlocks(want, have)
  const left = without(have, gone)
  const lost = goneNeighbors(want, left)
  const kept = left.filter(({ context, block }) => !lost.some((neighbor) => neighbor.has(context, block.line)))
  const wanted = statements(want)
  const resources = new Map(wanted.map(({ context, block }) => [[...context, block.line].join('\n'), block.for]))

  const commands: Command[] = []
  const add = (context: readonly string[], line: string, undo: readonly string[], ref: ResourceRef | undefined) => {
    const daemons = owner(context[0] ?? line)
    commands.push(ref === undefined ? { context, line, undo, daemons } : { context, line, undo, daemons, for: ref })
  }
  /** What stands around a removed line says whom it served. */
  const around = (context: readonly string[]) => resources.get(context.join('\n')) ?? headFor(want, context)

  for (const { context, block } of gone) {
    if (hasSessions(block)) add([...context, block.line], SHUTDOWN, [`no ${SHUTDOWN}`], around(context))
    const removal = blockRemovalOf(block.line) ?? removalOf(block.line)
    add(context, removal, script(block, context), around(context))
  }
  for (const { context, removals } of lost) {
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

const keyOf = ({ context, block }: Statement): string => [...context, placeOf(block.line)].join('\n')

/** All lines that are entered: those in blocks, and those that make blocks. */
function statements(tree: Block, context: readonly string[] = []): Statement[] {
  return tree.body.flatMap((block) => {
    if (closingOf(context, block.line) === undefined) return [{ context, block }]
    const inside = statements(block, [...context, block.line])
    return blockRemovalOf(block.line) === undefined ? inside : [{ context, block }, ...inside]
  })
}

/**
 * Blocks that go as a whole, and the VNIs of VRFs whose BGP instance goes: bgpd lets go of an instance only after its
 * VNI, and of the default instance only after all others.
 */
function goneBlocks(want: Block, have: Block): readonly Statement[] {
  const wanted = new Set(statements(want).map(({ context, block }) => [...context, block.line].join('\n')))
  const all = statements(have)
  const made = all.filter(({ context, block }) => closingOf(context, block.line) !== undefined)
  const missing = made.filter(({ context, block }) => !wanted.has([...context, block.line].join('\n')))
  const defaultGoes = missing.some(({ block }) => /^router bgp \d+$/.test(block.line))
  const instances = defaultGoes ? made.filter(({ block }) => /^router bgp \d+ vrf /.test(block.line)) : []
  const goingAtAll = [...new Set([...missing, ...instances])]
  const outermost = goingAtAll.filter(
    ({ context }) => !goingAtAll.some((other) => other.context.length < context.length && isInside(context, other)),
  )
  const vrfs = new Set(outermost.map(({ block }) => / vrf (\S+)$/.exec(block.line)?.[1]))
  const vnis = all.filter(({ context, block }) => {
    const vrf = /^vrf (\S+)$/.exec(context[0] ?? '')?.[1]
    return vrf !== undefined && vrfs.has(vrf) && block.line.startsWith('vni ')
  })
  return [...vnis, ...outermost]
}

function without(have: Block, gone: readonly Statement[]): readonly Statement[] {
  return statements(have).filter(
    ({ context, block }) => !gone.some((other) => other.block === block || isInside(context, other)),
  )
}

function isInside(context: readonly string[], { context: outer, block }: Statement): boolean {
  return context.length > outer.length && [...outer, block.line].every((line, at) => context[at] === line)
}

interface GoneNeighbor {
  readonly context: readonly string[]
  readonly removals: readonly Pick<Command, 'line' | 'undo'>[]
  has(context: readonly string[], line: string): boolean
}

/**
 * Neighbours that go, or come back as something else (another AS, another kind): FRR would keep a part of what hung
 * on the old one, so they go with all their lines and are made anew. The session resets either way.
 */
function goneNeighbors(want: Block, left: readonly Statement[]): readonly GoneNeighbor[] {
  const making = (all: readonly Statement[]) => {
    const found = new Map<string, string[]>()
    for (const { context, block } of all) {
      const name = neighborOf(block.line)
      if (context.length !== 1 || name === undefined || !makesNeighbor(block.line)) continue
      const key = `${context[0]}\n${name}`
      found.set(key, [...(found.get(key) ?? []), block.line].toSorted())
    }
    return found
  }
  const wanted = making(statements(want))
  return [...making(left)].flatMap(([key, made]) => {
    if (wanted.get(key)?.join('\n') === made.join('\n')) return []
    const [instance = '', name = ''] = key.split('\n')
    const has = (context: readonly string[], line: string) => context[0] === instance && neighborOf(line) === name
    const own = left.filter(({ context, block }) => has(context, block.line))
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
    return [{ context: [instance], removals, has }]
  })
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

/** The resource of the outermost block, for lines in blocks that are not entered themselves. */
function headFor(want: Block, context: readonly string[]): ResourceRef | undefined {
  return want.body.find((block) => block.line === context[0])?.for
}
