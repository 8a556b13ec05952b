/** What a scenario is: a file e2e/scenarios/NAME.ts that exports `scenario`. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatapathShape } from './job.ts'
import type { Lab } from './lab/lab.ts'

export interface Scenario {
  /** The same as the file's name. */
  readonly name: string
  /** One sentence: what is shown. */
  readonly summary: string
  /** Seconds that it takes at most on a machine that is not busy. @default 120 */
  readonly timeoutSeconds?: number
  /** The shapes of the nodes' datapath it is run in; `its own`: once, and it says itself what agents are told. @default both */
  readonly datapaths?: readonly DatapathShape[] | 'its own'
  /** Why it is run only when it is named. */
  readonly onlyByName?: string
  /** What a guest that runs it needs, in GiB. @default 2 */
  readonly memoryGiB?: number
  /** Throws when what should be is not. */
  readonly run: (lab: Lab, t: ScenarioLog) => Promise<void>
}

export interface ScenarioLog {
  /** Says which part comes next; a failure names the step it happened in. */
  step(title: string): void
  /** A measured or remarkable fact, printed with the result whatever it is. */
  note(text: string): void
}

/** A guest may get a third of a processor. */
const BUSY = 3

/** Seconds after which it is given up. */
export function patienceSeconds({ timeoutSeconds = 120 }: Pick<Scenario, 'timeoutSeconds'>): number {
  return BUSY * timeoutSeconds
}

const FOLDER = join(import.meta.dirname, 'scenarios')

async function scenarioNames(): Promise<string[]> {
  const files = await readdir(FOLDER)
  return files.flatMap((file) => (/^[a-z].*\.ts$/.test(file) ? [file.slice(0, -3)] : [])).sort()
}

/** All scenarios, sorted by name. */
export async function allScenarios(): Promise<Scenario[]> {
  return Promise.all((await scenarioNames()).map(loadScenario))
}

/** Loads one scenario by name. */
export async function loadScenario(name: string): Promise<Scenario> {
  const { scenario } = (await import(join(FOLDER, `${name}.ts`))) as { scenario?: Scenario }
  if (scenario?.name !== name) throw new Error(`e2e/scenarios/${name}.ts does not export a scenario named ${name}`)
  return scenario
}
