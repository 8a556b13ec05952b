/** The agents of the simulation, in a few processes of their own. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { CrowdCounts, CrowdOrder } from './crowd-messages.ts'

type Dial = Extract<CrowdOrder, { readonly do: 'dial' }>

export class Crowds implements AsyncDisposable {
  readonly #processes: readonly ChildProcess[]
  readonly #died: Promise<never>

  constructor(processes: number) {
    this.#processes = Array.from({ length: processes }, () =>
      fork(join(import.meta.dirname, 'crowd-process.ts'), {
        serialization: 'advanced',
        execArgv: ['--disable-warning=ExperimentalWarning', '--max-old-space-size=6144'],
      }),
    )
    this.#died = Promise.race(
      this.#processes.map(async (each): Promise<never> => {
        await once(each, 'exit')
        throw new Error('a process of agents has died')
      }),
    )
    // Told to whoever waits for an answer.
    this.#died.catch(() => {})
  }

  /** Agents by turns. */
  async dial(order: Omit<Dial, 'do'>): Promise<void> {
    const all = this.#processes
    await this.#each((_, at) => ({
      ...order,
      do: 'dial',
      agents: order.agents.filter((_agent, turn) => turn % all.length === at),
    }))
  }

  async count(marker = ''): Promise<void> {
    await this.#each(() => ({ do: 'count', marker }))
  }

  async chatter(everyMs: number): Promise<void> {
    await this.#each(() => ({ do: 'chatter', everyMs }))
  }

  async look(times = false): Promise<CrowdCounts> {
    const all = (await this.#each(() => ({ do: 'look', times }))) as CrowdCounts[]
    const sum = (key: 'connected' | 'touched' | 'plans' | 'pieces' | 'removed' | 'bytes' | 'marked'): number =>
      all.reduce((total, each) => total + each[key], 0)
    const ends: Record<string, number> = {}
    for (const each of all) for (const [why, count] of Object.entries(each.ends)) ends[why] = (ends[why] ?? 0) + count
    return {
      connected: sum('connected'),
      touched: sum('touched'),
      mostPlans: Math.max(...all.map(({ mostPlans }) => mostPlans)),
      plans: sum('plans'),
      pieces: sum('pieces'),
      removed: sum('removed'),
      bytes: sum('bytes'),
      marked: sum('marked'),
      times: all.flatMap((each) => each.times),
      dials: all.reduce((total, each) => total + each.dials, 0),
      reports: all.reduce((total, each) => total + each.reports, 0),
      details: all.reduce((total, each) => total + each.details, 0),
      mistakes: all.flatMap(({ mistakes }) => mistakes),
      ends,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#processes.map(async (each) => {
        if (each.exitCode !== null || each.signalCode !== null) return
        const ended = once(each, 'exit')
        each.kill('SIGKILL')
        await ended
      }),
    )
  }

  #each(order: (process: ChildProcess, at: number) => CrowdOrder): Promise<unknown[]> {
    return Promise.all(
      this.#processes.map(async (each, at) => {
        const answered = once(each, 'message')
        each.send(order(each, at))
        const [answer] = (await Promise.race([answered, this.#died])) as [unknown]
        return answer
      }),
    )
  }
}
