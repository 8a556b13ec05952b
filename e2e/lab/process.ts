/** A long-running program of the lab: started with its output in a log file, ended by signal, waited for with a bound. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { eventually } from './eventually.ts'

export class LabProcess {
  /** For messages. */
  readonly name: string
  private readonly logFile: string
  private child: ChildProcess | undefined

  constructor(name: string, logFile: string) {
    this.name = name
    this.logFile = logFile
  }

  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  }

  get pid(): number | undefined {
    return this.running ? this.child?.pid : undefined
  }

  /** Starts it; the log goes on where it was. */
  start(argv: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    if (this.running) throw new Error(`${this.name} runs already`)
    const log = openSync(this.logFile, 'a')
    const [file = '', ...args] = argv
    const child = spawn(file, args, { stdio: ['ignore', log, log], env: { ...process.env, ...env } })
    closeSync(log)
    child.on('error', () => {})
    this.child = child
  }

  /** Waits until `look` is true; ends at once when the program does. */
  async until(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
    await eventually(`${this.name} ${what}`, async () => {
      if (!this.running) throw new Error(`it ended with status ${this.status}: ${await this.tail(5)}`)
      return look()
    })
  }

  /** Sends a signal and waits until it is gone; SIGKILL follows after a minute. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child
    if (child === undefined || !this.running) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    // One that was stopped takes no other signal.
    if (signal !== 'SIGKILL') child.kill('SIGCONT')
    const giveUp = setTimeout(() => child.kill('SIGKILL'), 60_000)
    await ended
    clearTimeout(giveUp)
  }

  /** Stops it in its tracks: it is there and answers nothing. */
  freeze(): void {
    this.child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.child?.kill('SIGCONT')
  }

  /** Waits until it ended by itself and gives the status. */
  async ended(timeoutMs = 90_000): Promise<number | string> {
    await eventually(`${this.name} ends`, () => !this.running, { timeoutMs })
    return this.status
  }

  private get status(): number | string {
    return this.child?.exitCode ?? this.child?.signalCode ?? 0
  }

  /** The whole log so far. */
  log(): Promise<string> {
    return readFile(this.logFile, 'utf8').catch(() => '')
  }

  /** The last lines of the log. */
  async tail(lines: number): Promise<string> {
    return (await this.log()).trimEnd().split('\n').slice(-lines).join('\n')
  }
}
