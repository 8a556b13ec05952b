/**
 * What is measured in which order. A life is a new node that one contestant brings up, changes and takes down; rows that
 * need a new node have as many lives as samples, the others take all their samples from the first. Pure.
 */
import type { BenchOptions } from './options.ts'
import type { Contestant, Name, Shape } from './sample.ts'

export interface Life {
  readonly contestant: Contestant
  readonly shape: Shape
  readonly n: number
  /** From 0. */
  readonly round: number
  readonly names: readonly Name[]
  /** Of rows that need no new node. */
  readonly samples: number
}

const CHANGES = [100, 1000, 2000]
const SIZES: Readonly<Record<Name, readonly number[]>> = {
  'cold-start': [100, 500, 1000, 2000],
  'add-one': CHANGES,
  'delete-one': CHANGES,
  'change-gateway': CHANGES,
  'no-op': [100, 1000, 2000],
  'delete-all': [100, 1000],
  'restart-adopt': [100, 1000],
  drift: [1000],
  memory: [0, 1000, 2000],
  start: [0],
  idle: [1000],
  plan: [5000],
}
const QUICK = 50
/** Sizes of rows that say nothing with another. */
const FIXED: readonly Name[] = ['start', 'plan']
/** Rows that need a new node for each sample. */
const NEW_NODE: readonly Name[] = ['cold-start', 'delete-all', 'memory']
/** Rows that only the agent has. */
const ALONE: readonly Name[] = ['memory', 'start', 'idle']
/** A bridge and a VXLAN device for each VNI take minutes from here on. */
const MOST_PER_VNI = 100
const BASELINE = [50, 100, 1000]

export function sizesOf(name: Name, options: Pick<BenchOptions, 'quick' | 'sizes'>): readonly number[] {
  if (options.quick) return name === 'memory' ? [0, QUICK] : name === 'start' ? [0] : [QUICK]
  if (options.sizes === undefined || FIXED.includes(name)) return SIZES[name]
  return name === 'memory' ? [0, ...options.sizes] : options.sizes
}

/** One of each first; then more of each, the baseline last, as it takes longest. */
export function livesOf(options: BenchOptions): readonly Life[] {
  const { names, shapes, contestants, samples } = options
  const onNode = names.filter((name) => name !== 'plan')
  const sizes = [...new Set(onNode.flatMap((name) => sizesOf(name, options)))].toSorted((a, b) => a - b)
  const rounds = Array.from({ length: samples }, (_, round) => round)
  return rounds.flatMap((round) => {
    const lives = sizes.flatMap((n) =>
      contestants.flatMap((contestant) =>
        (contestant === 'baseline' ? (['per-vni'] as const) : shapes).flatMap((shape): Life[] => {
          const own = onNode
            .filter((name) => sizesOf(name, options).includes(n))
            .filter((name) => contestant === 'ours' || (!ALONE.includes(name) && n > 0))
            .filter((name) => round === 0 || NEW_NODE.includes(name))
          const much = !options.long && options.sizes === undefined && takesMinutes(contestant, shape, n)
          return own.length === 0 || much ? [] : [{ contestant, shape, n, round, names: own, samples }]
        }),
      ),
    )
    const isBaseline = ({ contestant }: Life): boolean => contestant === 'baseline'
    return round === 0 ? lives : [...lives.filter((life) => !isBaseline(life)), ...lives.filter(isBaseline)]
  })
}

function takesMinutes(contestant: Contestant, shape: Shape, n: number): boolean {
  return contestant === 'baseline' ? !BASELINE.includes(n) : shape === 'per-vni' && n > MOST_PER_VNI
}
