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
/** A node with nothing but an Underlay. */
const NEW_NODE: readonly Name[] = ['cold-start', 'delete-all']
/** Rows that only the agent has. */
const ALONE: readonly Name[] = ['memory', 'start', 'idle']
/** What takes minutes with a bridge and a VXLAN device for each VNI. */
const MOST = { shape: 100, baseline: 1000 }

export function sizesOf(name: Name, options: Pick<BenchOptions, 'quick' | 'sizes'>): readonly number[] {
  if (options.quick) return name === 'memory' ? [0, QUICK] : name === 'start' ? [0] : [QUICK]
  if (options.sizes === undefined || FIXED.includes(name)) return SIZES[name]
  return name === 'memory' ? [0, ...options.sizes] : options.sizes
}

export function livesOf(options: BenchOptions): readonly Life[] {
  const { names, shapes, contestants, samples } = options
  const onNode = names.filter((name) => name !== 'plan')
  const sizes = [...new Set(onNode.flatMap((name) => sizesOf(name, options)))].toSorted((a, b) => a - b)
  const who = (contestant: Contestant): readonly Shape[] => (contestant === 'baseline' ? ['per-vni'] : shapes)
  return sizes.flatMap((n) => {
    const wanted = onNode.filter((name) => sizesOf(name, options).includes(n))
    return Array.from({ length: samples }, (_, round) => round).flatMap((round) =>
      contestants.flatMap((contestant) =>
        who(contestant).flatMap((shape): Life[] => {
          if (!options.long && options.sizes === undefined && n > most(contestant, shape)) return []
          const own = wanted
            .filter((name) => contestant === 'ours' || !ALONE.includes(name))
            .filter((name) => round === 0 || NEW_NODE.includes(name))
            .filter((name) => n > 0 || ALONE.includes(name))
          return own.length === 0 ? [] : [{ contestant, shape, n, round, names: own, samples }]
        }),
      ),
    )
  })
}

function most(contestant: Contestant, shape: Shape): number {
  if (contestant === 'baseline') return MOST.baseline
  return shape === 'per-vni' ? MOST.shape : Infinity
}
