/** What is run, claimed and counted: a scenario with the nodes' datapath in one shape. */
import type { Scenario } from './scenario.ts'

export type DatapathShape = 'single' | 'per-vni'

export const SHAPES: readonly DatapathShape[] = ['per-vni', 'single']

/** A job's name is what TAP shows, `l2-gateway (single)`, and that of its claim. */
export interface Job {
  readonly name: string
  readonly scenario: string
  /** Absent: the scenario says itself what shape the nodes have. */
  readonly datapath?: DatapathShape
}

/** The jobs of these scenarios in these shapes; those that may take longest come first, so that no guest is left with one at the end. */
export function jobsOf(scenarios: readonly Scenario[], shapes: readonly DatapathShape[]): readonly Job[] {
  return [...scenarios]
    .sort((a, b) => (b.timeoutSeconds ?? 0) - (a.timeoutSeconds ?? 0))
    .flatMap(({ name, datapaths = SHAPES }): Job[] =>
      datapaths === 'its own'
        ? [{ name, scenario: name }]
        : shapes.filter((shape) => datapaths.includes(shape)).map((datapath) => jobIn(name, datapath)),
    )
}

function jobIn(scenario: string, datapath: DatapathShape): Job {
  return { name: `${scenario} (${datapath})`, scenario, datapath }
}

/** The job of that name. */
export function jobNamed(name: string): Job {
  const [scenario = '', rest] = name.split(' ')
  const shape = SHAPES.find((each) => rest === `(${each})`)
  return shape === undefined ? { name, scenario } : jobIn(scenario, shape)
}
