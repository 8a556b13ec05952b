/** The command line of `hack/e2e`. */
import { SHAPES, type DatapathShape } from './job.ts'

export interface Arguments {
  readonly list: boolean
  readonly shapes: readonly DatapathShape[]
  /** Scenarios; none: all that are not run by name only. */
  readonly names: readonly string[]
}

/** @throws Error saying what there is */
export function parseArguments(words: readonly string[]): Arguments {
  let list = false
  let shapes = SHAPES
  const names: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (word === '--list') list = true
    else if (word === '--datapath') shapes = shapesOf(words[++at])
    else if (word.startsWith('-')) throw new Error(`there is no option ${word}: there are --list and --datapath`)
    else if (!names.includes(word)) names.push(word)
  }
  return { list, shapes, names }
}

function shapesOf(word: string | undefined): readonly DatapathShape[] {
  if (word === 'both') return SHAPES
  const shape = SHAPES.find((each) => each === word)
  if (shape === undefined) throw new Error(`--datapath is single, per-vni or both, not ${word ?? 'nothing'}`)
  return [shape]
}
