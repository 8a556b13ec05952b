/** A program of the simulation in a process of its own, and what it costs as the kernel counts it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSeconds, memoryOf, resetPeak, type Memory } from '../process/cost.ts'

export interface Cost extends Memory {
  /** CPU seconds since its start. */
  readonly cpu: number
}

const READY_MS = 60_000

export class Program {
  readonly name: string
  readonly #child: ChildProcess
  readonly #log: string

  /** Output goes to the file `log`. */
  constructor(name: string, argv: readonly string[], log: string, env: NodeJS.ProcessEnv = process.env) {
    this.name = name
    this.#log = log
    const [file = '', ...args] = argv
    const output = openSync(log, 'a')
    this.#child = spawn(file, args, { stdio: ['ignore', output, output], env })
    closeSync(output)
    this.#child.on('error', () => {})
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Waits for the condition. @throws when the program ends before, or after a bound */
  async until(what: string, look: () => Promise<boolean> | boolean, boundMs = READY_MS, everyMs = 20): Promise<void> {
    const end = performance.now() + boundMs
    while (!(await look())) {
      if (!this.running) throw new Error(`${this.name} ended before it ${what}:\n${this.tail()}`)
      if (performance.now() > end) throw new Error(`${this.name}: not within ${boundMs} ms: ${what}\n${this.tail()}`)
      await sleep(everyMs)
    }
  }

  cost(): Cost {
    return { ...memoryOf(this.#pid), cpu: cpuSeconds(this.#pid) ?? Number.NaN }
  }

  /** From now on `peak` is of what comes. */
  resetPeak(): void {
    resetPeak(this.#pid)
  }

  log(): string {
    return readFileSync(this.#log, 'utf8')
  }

  tail(): string {
    return this.log().trimEnd().split('\n').slice(-15).join('\n')
  }

  /** 0, of which the kernel knows nothing, when it could not be started. */
  get #pid(): number {
    return this.#child.pid ?? 0
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.running) return
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    const giveUp = setTimeout(() => this.#child.kill('SIGKILL'), 20_000)
    await ended
    clearTimeout(giveUp)
  }
}
