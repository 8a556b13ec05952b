/** Trees to FRR's configuration text and back, in the dialect of `show running-config`. */
import { Memo } from './memo.ts'
import { closingOf } from './tree.ts'
import type { Block } from './tree.ts'

/** The configuration text of a tree, indented as FRR does. Passwords are in it: for files of mode 0600 and sockets only. */
export function format(tree: Block, texts = new Memo<string>()): string {
  const text = tree.body.flatMap((child, at) => [
    texts.take(child, [], () => lines(child, []).join('\n')),
    ...(closingOf([], child.line) === undefined && sameKind(child, tree.body[at + 1]) ? [] : ['!']),
  ])
  return text.join('\n') + '\n'
}

/** FRR prints lines of one list without a `!` in between. */
function sameKind(child: Block, next: Block | undefined): boolean {
  return child.line.split(' ')[0] === next?.line.split(' ')[0]
}

/** The lines of one block, with what closes it. */
export function lines(block: Block, context: readonly string[]): string[] {
  const indent = ' '.repeat(context.length)
  const closing = closingOf(context, block.line)
  const inside = [...context, block.line]
  return [
    indent + block.line,
    ...block.body.flatMap((child) => [...separator(child, inside), ...lines(child, inside)]),
    ...(closing === undefined ? [] : [indent + closing]),
  ]
}

/** FRR prints a `!` before the address families of a BGP instance. */
function separator(child: Block, context: readonly string[]): string[] {
  return child.line.startsWith('address-family ') ? [' '.repeat(context.length) + '!'] : []
}

/**
 * Reads what `show running-config` prints (or a file in the same dialect). Blocks are closed by `exit`, `exit-vrf`,
 * `exit-address-family`, `exit-vni`, or by a line that stands further out. A block that occurs twice is merged.
 */
export function parse(text: string): Block {
  const tree: Open = { line: '', body: new Map() }
  const open: Open[] = [tree]
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (line === '' || line.startsWith('!') || line.startsWith('#') || line === 'end') continue
    if (/^exit(-\S+)?$/.test(line)) {
      if (open.length > 1) open.pop()
      continue
    }
    // FRR ends some blocks without `exit`; a line of the outermost level always starts in the first column.
    if (/^\S/.test(raw) && closingOf([], line) !== undefined) open.length = 1
    const parent = open.at(-1) ?? tree
    const child = parent.body.get(line) ?? { line, body: new Map<string, Open>() }
    parent.body.set(line, child)
    const context = open.slice(1).map((block) => block.line)
    if (closingOf(context, line) !== undefined) open.push(child)
  }
  return closed(tree)
}

/** The text in pieces, each of which `parse` reads as it would in the whole: at the lines that end whatever is open. */
export function sections(text: string): readonly string[] {
  const starts = [...text.matchAll(/^\S.*$/gm)].filter(([line]) => closingOf([], line.trim()) !== undefined)
  const cuts = [0, ...starts.map(({ index }) => index).filter((index) => index > 0), text.length]
  return cuts.slice(1).map((end, at) => text.slice(cuts[at], end))
}

interface Open {
  readonly line: string
  readonly body: Map<string, Open>
}

function closed(open: Open): Block {
  return { line: open.line, body: [...open.body.values()].map(closed) }
}

/** The same text with passwords replaced: for people, logs and errors. */
export function redacted(text: string): string {
  return text.replace(/(\bpassword )(?:8 )?\S.*/g, '$1********')
}
