/** Samples to rows: medians, and what they are against baseline and floor. Pure. */
import {
  CONTESTANTS,
  NAMES,
  SHAPES,
  UNITS,
  type Contestant,
  type Costs,
  type Mistake,
  type Name,
  type Sample,
  type Shape,
} from './sample.ts'

export interface Row {
  readonly name: Name
  readonly n: number
  readonly shape: Shape
  /** Medians, in `unit`; null: not measured. Smaller is better. */
  readonly ours: number | null
  readonly baseline: number | null
  readonly floor: number | null
  readonly unit: string
  readonly ratioToBaseline: number | null
  readonly ratioToFloor: number | null
  /** How many of ours; of all three in `values`. */
  readonly samples: number
  /** Of no-op: the most that one sample wrote. */
  readonly writes?: number
  readonly commands?: number
  /** Why it does not count. */
  readonly failed?: readonly string[]
  /** All samples, as they came. */
  readonly values: Readonly<Record<Contestant, readonly number[]>>
  /** CPU seconds by program, medians. */
  readonly costs: Readonly<Partial<Record<Contestant, Costs>>>
  /** Milliseconds of the agent's passes, by what was being done; medians. */
  readonly phases?: Costs
}

export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  return low === undefined || high === undefined ? null : (low + high) / 2
}

/** Rows in the order of NAMES, then of shapes, then of n. The baseline has but one shape and counts for both. */
export function rowsOf(samples: readonly Sample[], mistakes: readonly Mistake[] = []): readonly Row[] {
  const ours = samples.filter(({ contestant }) => contestant !== 'baseline')
  const lone = samples.filter(
    ({ name, n, contestant }) =>
      contestant === 'baseline' && !ours.some((other) => other.name === name && other.n === n),
  )
  const keys = new Set([...ours, ...lone].map(({ name, n, shape }) => JSON.stringify([name, n, shape])))
  return [...keys]
    .map((key) => JSON.parse(key) as [Name, number, Shape])
    .toSorted(
      ([a, n, s], [b, m, t]) => NAMES.indexOf(a) - NAMES.indexOf(b) || SHAPES.indexOf(s) - SHAPES.indexOf(t) || n - m,
    )
    .map(([name, n, shape]) => rowOf(name, n, shape, samples, mistakes))
}

function rowOf(name: Name, n: number, shape: Shape, samples: readonly Sample[], mistakes: readonly Mistake[]): Row {
  const concerns = (each: Sample | Mistake): boolean =>
    each.name === name && each.n === n && (each.contestant === 'baseline' || each.shape === shape)
  const own = samples.filter(concerns)
  const by = (who: Contestant): readonly Sample[] => own.filter(({ contestant }) => contestant === who)
  const failed = mistakes.filter(concerns).map(({ contestant, text }) => `${contestant}: ${text}`)
  const values = Object.fromEntries(
    CONTESTANTS.map((who) => [who, by(who).map(({ value }) => value)]),
  ) as unknown as Row['values']
  const [ours, baseline, floor] = [median(values.ours), median(values.baseline), median(values.floor)]
  const most = (field: 'writes' | 'commands') => Math.max(0, ...by('ours').map((each) => each[field] ?? 0))
  return {
    name,
    n,
    shape,
    ours: rounded(ours),
    baseline: rounded(baseline),
    floor: rounded(floor),
    unit: UNITS[name],
    ratioToBaseline: ratio(ours, baseline),
    ratioToFloor: ratio(ours, floor),
    samples: values.ours.length,
    ...(name === 'no-op' && ours !== null ? { writes: most('writes'), commands: most('commands') } : {}),
    ...(failed.length === 0 ? {} : { failed }),
    values,
    costs: Object.fromEntries(
      CONTESTANTS.filter((who) => by(who).some(({ costs }) => costs !== undefined)).map((who) => [
        who,
        medians(by(who).map(({ costs }) => costs)),
      ]),
    ),
    ...(by('ours').some(({ phases }) => phases !== undefined)
      ? { phases: medians(by('ours').map(({ phases }) => phases)) }
      : {}),
  }
}

function medians(all: readonly (Costs | undefined)[]): Costs {
  const keys = new Set(all.flatMap((costs) => Object.keys(costs ?? {})))
  return Object.fromEntries([...keys].map((key) => [key, rounded(median(all.map((costs) => costs?.[key] ?? 0))) ?? 0]))
}

function ratio(ours: number | null, other: number | null): number | null {
  return ours === null || other === null || other === 0 ? null : rounded(ours / other)
}

/** Four significant digits. */
function rounded(value: number): number
function rounded(value: number | null): number | null
function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4))
}
