/** How FRR's configuration reacts to lines, as far as nodeleaf uses them: the model that the diff is tested against. */
import { blockRemovalOf, makesNeighbor, neighborOf, placeOf, removalOf } from './grammar.ts'
import { closingOf } from './tree.ts'
import type { Block } from './tree.ts'

/** The tree after the lines were entered one by one, starting in the block `context`. */
export function enter(tree: Block, context: readonly string[], lines: readonly string[]): Block {
  let at = context
  let result = tree
  for (const line of lines) {
    if (/^exit(-\S+)?$/.test(line)) {
      at = at.slice(0, -1)
      continue
    }
    const block = at
    const opens = closingOf(block, line) !== undefined
    result = edited(result, block, (body) => (opens ? opened(body, line) : one(body, line)))
    if (/^no neighbor \S+( peer-group)?$/.test(line)) result = withoutNeighbor(result, block, neighborOf(line))
    if (opens) at = [...block, line]
  }
  return result
}

function edited(tree: Block, context: readonly string[], change: (body: readonly Block[]) => readonly Block[]): Block {
  const [head, ...rest] = context
  if (head === undefined) return { ...tree, body: change(tree.body) }
  const found = tree.body.find(({ line }) => line === head)
  if (!found && blockRemovalOf(head) !== undefined && !head.startsWith('vni ')) throw new Error(`not there: ${head}`)
  const child = edited(found ?? { line: head, body: [] }, rest, change)
  return { ...tree, body: found ? tree.body.map((each) => (each === found ? child : each)) : [...tree.body, child] }
}

function opened(body: readonly Block[], line: string): readonly Block[] {
  return body.some((block) => block.line === line) ? body : [...body, { line, body: [] }]
}

function one(body: readonly Block[], line: string): readonly Block[] {
  const goes = (block: Block) => removalOf(block.line) === line || blockRemovalOf(block.line) === line
  // Not shown when it is off.
  if (body.some(goes) || line === 'no bgp shutdown') return body.filter((block) => !goes(block))
  return [...body.filter((block) => placeOf(block.line) !== placeOf(line)), { line, body: [] }]
}

function withoutNeighbor(tree: Block, context: readonly string[], name: string | undefined): Block {
  const strip = (block: Block): Block => ({
    ...block,
    body: block.body.filter(({ line }) => neighborOf(line) !== name || makesNeighbor(line)).map(strip),
  })
  const drop = (block: Block): Block => ({
    ...strip(block),
    body: strip(block).body.filter(({ line }) => neighborOf(line) !== name && line !== `no neighbor ${name}`),
  })
  return { ...tree, body: tree.body.map((block) => (block.line === context[0] ? drop(block) : block)) }
}
