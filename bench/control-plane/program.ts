/** A program of the simulation in a process of its own, and what it costs as the kernel counts it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** MiB and seconds. */
export interface Cost {
  readonly rss: number
  /** The most since `resetPeak`. */
  readonly peak: number
  readonly cpu: number
}

/** USER_HZ, which /proc counts in, is 100 on every platform that Node.js runs on. */
const TICKS = 100
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
    const { pid } = this.#child
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const megabytes = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // After the name, which may hold anything, utime and stime are the 12th and 13th field: proc(5).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { rss: megabytes('VmRSS'), peak: megabytes('VmHWM'), cpu: (Number(fields[11]) + Number(fields[12])) / TICKS }
  }

  /** From now on `peak` is of what comes: proc(5), clear_refs. */
  resetPeak(): void {
    writeFileSync(`/proc/${this.#child.pid}/clear_refs`, '5')
  }

  log(): string {
    return readFileSync(this.#log, 'utf8')
  }

  tail(): string {
    return this.log().trimEnd().split('\n').slice(-15).join('\n')
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
