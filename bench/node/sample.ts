/** What is measured, and the lines in which the guest tells the machine outside what it measured. */

/** Rows, in the order in which they are shown. */
export const NAMES = [
  'cold-start',
  'add-one',
  'delete-one',
  'change-gateway',
  'no-op',
  'delete-all',
  'restart-adopt',
  'drift',
  'memory',
  'start',
  'idle',
  'plan',
] as const
export type Name = (typeof NAMES)[number]

export const SHAPES = ['single', 'per-vni'] as const
export type Shape = (typeof SHAPES)[number]

/**
 * `ours`: the agent. `baseline`: what others do, one bridge and one VXLAN device a VNI and frr-reload.py. `floor`: the
 * least it can cost with the tools that are there, in the same shape.
 */
export const CONTESTANTS = ['ours', 'floor', 'baseline'] as const
export type Contestant = (typeof CONTESTANTS)[number]

export const UNITS = {
  'cold-start': 's',
  'add-one': 'ms',
  'delete-one': 'ms',
  'change-gateway': 'ms',
  'no-op': 'ms',
  'delete-all': 's',
  'restart-adopt': 's',
  drift: 'ms',
  memory: 'MiB',
  start: 's',
  idle: 'CPU s/min',
  plan: 'ms',
} as const satisfies Record<Name, string>

/** By program: CPU seconds, of user and kernel together. Of what else can be told apart: what it took. */
export type Costs = Readonly<Record<string, number>>

export interface Sample {
  readonly name: Name
  readonly n: number
  readonly shape: Shape
  readonly contestant: Contestant
  /** In the row's unit. */
  readonly value: number
  readonly costs?: Costs
  /** Milliseconds of the agent's passes, by what was being done. */
  readonly phases?: Costs
  /** Of the agent. */
  readonly writes?: number
  readonly commands?: number
}

/** Why a row does not count: its end state is not the plan's, or something was written that must not be. */
export interface Mistake {
  readonly name: Name
  readonly n: number
  readonly shape: Shape
  readonly contestant: Contestant
  readonly text: string
}

/** One line of JSON each, from the guest. */
export type BenchEvent =
  | { readonly event: 'kernel'; readonly release: string; readonly frr: string }
  | { readonly event: 'say'; readonly text: string }
  | { readonly event: 'sample'; readonly sample: Sample }
  | ({ readonly event: 'mistake' } & Mistake)
  | { readonly event: 'done' }
