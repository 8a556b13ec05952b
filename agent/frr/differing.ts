/** What of two trees can make commands at all: most of a node's configuration is the same before and after a change. */
import { blockRemovalOf, placeOf } from './grammar.ts'
import { closingOf } from './tree.ts'
import type { Block } from './tree.ts'

interface Sides {
  readonly want: Block
  readonly have: Block
}

/**
 * Both trees without the blocks that are equal in both. `diff` yields the same for what is left, in time that follows
 * what differs: blocks that are the same object cost one look.
 */
export function differing(want: Block, have: Block): Sides {
  const [before, after] = [new Set(have.body), new Set(want.body)]
  const wants = byPlace(want.body.filter((block) => !before.has(block)))
  const haves = byPlace(have.body.filter((block) => !after.has(block)))
  const gone = goneInstances(wants, haves)
  // The default instance takes all others along.
  if (gone.some((line) => /^router bgp \d+$/.test(line))) return { want, have }
  // And an instance the VNI of its VRF.
  const vrfs = new Set(gone.map((line) => line.replace(/^router bgp \d+ /, '')))
  const pairs = narrowedPairs(wants, haves, [], (line) => !vrfs.has(line))
  const kept = (body: readonly Block[], others: ReadonlySet<Block>) =>
    body.filter((block) => !others.has(block) || vrfs.has(block.line))
  return {
    want: { ...want, body: replaced(kept(want.body, before), pairs) },
    have: { ...have, body: replaced(kept(have.body, after), pairs) },
  }
}

type Places = ReadonlyMap<string, readonly Block[]>

function byPlace(body: readonly Block[]): Places {
  const found = new Map<string, Block[]>()
  for (const block of body) {
    const place = placeOf(block.line)
    const same = found.get(place)
    if (same === undefined) found.set(place, [block])
    else same.push(block)
  }
  return found
}

function goneInstances(wants: Places, haves: Places): readonly string[] {
  return [...haves.keys()].filter((line) => line.startsWith('router bgp ') && !wants.has(line))
}

/** What becomes of a block that stands in both trees: undefined when both say the same. */
type Pairs = ReadonlyMap<Block, Block | undefined>

/** Blocks alone at their place in both trees, by what is left of them. */
function narrowedPairs(
  wants: Places,
  haves: Places,
  context: readonly string[],
  mayGo: (line: string) => boolean,
): Pairs {
  const pairs = new Map<Block, Block | undefined>()
  for (const [place, [want, ...doubles]] of wants) {
    const [have, ...others] = haves.get(place) ?? []
    if (want === undefined || have === undefined || doubles.length + others.length > 0) continue
    if (want.line !== have.line) continue
    const left = mayGo(want.line) && equal(want, have) ? undefined : narrowed(want, have, context)
    pairs.set(want, left?.want)
    pairs.set(have, left?.have)
  }
  return pairs
}

function narrowed(want: Block, have: Block, context: readonly string[]): Sides {
  if (closingOf(context, want.line) === undefined) return { want, have }
  const inside = [...context, want.line]
  // The lines of a neighbour hang together, wherever they stand in an instance; VNIs and profiles stand alone.
  const alone = (line: string) => closingOf(inside, line) !== undefined && blockRemovalOf(line) !== undefined
  const opens = ({ line }: Block) => closingOf(inside, line) !== undefined
  const pairs = narrowedPairs(byPlace(want.body.filter(opens)), byPlace(have.body.filter(opens)), inside, alone)
  return {
    want: { ...want, body: replaced(want.body, pairs) },
    have: { ...have, body: replaced(have.body, pairs) },
  }
}

function replaced(body: readonly Block[], pairs: Pairs): Block[] {
  return body.flatMap((block) => (pairs.has(block) ? (pairs.get(block) ?? []) : block))
}

/** Whether both say the same, in whatever order. */
function equal(a: Block, b: Block): boolean {
  if (a === b) return true
  if (a.line !== b.line || a.body.length !== b.body.length) return false
  let others: ReadonlyMap<string, Block> | undefined
  return a.body.every((child, at) => {
    const beside = b.body[at]
    if (beside?.line === child.line) return equal(child, beside)
    others ??= new Map(b.body.map((block) => [block.line, block]))
    const other = others.get(child.line)
    return other !== undefined && equal(child, other)
  })
}
