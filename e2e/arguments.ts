/** The command line of `hack/e2e`. */
import { SHAPES, type DatapathShape } from './job.ts'

export interface Arguments {
  readonly help: boolean
  readonly list: boolean
  readonly shapes: readonly DatapathShape[]
  /** Scenarios; none: all that are not run by name only. */
  readonly names: readonly string[]
}

export const helpText = `e2e: runs scenarios in the lab, real kernel and real FRR in guests, and prints TAP. e2e/README.md says more.

Usage: hack/e2e [--datapath single|per-vni|both] [NAME...]
       hack/e2e --list | --help

  NAME                     scenarios (default: all but those that are run only by name)
  --datapath SHAPE         the shape of the nodes' datapath: single, per-vni or both (default: both)
  --list                   what there is, one a line

NODELEAF_TIMES=1 in the environment prints how long each step took.
Exit status: 0 all passed, 1 one failed, 2 the command line cannot be used.`

/** @throws Error saying what there is */
export function parseArguments(words: readonly string[]): Arguments {
  let [help, list] = [false, false]
  let shapes = SHAPES
  const names: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (word === '--help' || word === '-h') help = true
    else if (word === '--list') list = true
    else if (word === '--datapath') shapes = shapesOf(words[++at])
    else if (word.startsWith('-')) throw new Error(`there is no option ${word}: --help says which there are`)
    else if (!names.includes(word)) names.push(word)
  }
  return { help, list, shapes, names }
}

function shapesOf(word: string | undefined): readonly DatapathShape[] {
  if (word === 'both') return SHAPES
  const shape = SHAPES.find((each) => each === word)
  if (shape === undefined) throw new Error(`--datapath is single, per-vni or both, not ${word ?? 'nothing'}`)
  return [shape]
}
