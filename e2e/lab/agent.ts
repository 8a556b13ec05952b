/** One nodeleaf agent on a node of the lab, as a systemd unit would run it. */
import { existsSync, mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { StatusDocument } from '../../agent/status/document.ts'
import { askAgent } from '../../cli/status.ts'
import { attempt, run, type Outcome } from './command.ts'
import type { DatapathShape } from '../job.ts'
import { LabProcess } from './process.ts'
import { program } from './program.ts'

export interface AgentStartOptions {
  /** More flags, after the usual ones. */
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Do not wait for the socket. */
  readonly nowait?: boolean
}

export class Agent {
  readonly node: string
  /** Name of the router's namespace and of FRR's path space in it. */
  readonly netns: string
  readonly stateDir: string
  readonly runDir: string
  readonly configDir: string
  /** What `start` says with `--datapath`; undefined: nothing. */
  datapath: DatapathShape | undefined
  private readonly nodeFile: string
  private readonly process: LabProcess

  constructor(node: string, netns: string, folder: string) {
    this.node = node
    this.netns = netns
    this.configDir = join(folder, 'config')
    this.nodeFile = join(folder, 'node.yaml')
    this.stateDir = join(folder, 'state')
    this.runDir = join(folder, 'run')
    this.process = new LabProcess(`the agent of ${node}`, join(folder, 'agent.log'))
  }

  get running(): boolean {
    return this.process.running
  }

  get pid(): number | undefined {
    return this.process.pid
  }

  /** Whether it ever ran on this node, so that there may be something to give back. */
  get installed(): boolean {
    return existsSync(this.stateDir) || existsSync(`/run/netns/${this.netns}`)
  }

  flags(): string[] {
    return [
      '--node',
      this.node,
      '--node-file',
      this.nodeFile,
      '--config-dir',
      this.configDir,
      '--state-dir',
      this.stateDir,
      '--run-dir',
      this.runDir,
      '--netns',
      this.netns,
    ]
  }

  private argv(...words: string[]): string[] {
    // Only the network namespace: the mount namespace is shared, so the router's namespace is seen by everyone.
    return ['nsenter', `--net=/run/netns/${this.node}`, ...program('agent'), ...words]
  }

  /** Starts it and waits until its socket answers. */
  async start(options: AgentStartOptions = {}): Promise<void> {
    mkdirSync(this.runDir, { recursive: true })
    if (!this.running) await rm(join(this.runDir, 'agent.sock'), { force: true })
    const datapath = this.datapath === undefined ? [] : ['--datapath', this.datapath]
    this.process.start(this.argv('run', ...this.flags(), ...datapath, ...(options.flags ?? [])), options.env)
    if (options.nowait) return
    await this.process.until('answers', () => existsSync(join(this.runDir, 'agent.sock')))
  }

  /** Ends it as systemd does (SIGTERM) and waits. */
  async stop(): Promise<void> {
    await this.process.end('SIGTERM')
  }

  /** Ends it without a chance to say goodbye (SIGKILL) and waits. */
  async kill(): Promise<void> {
    await this.process.end('SIGKILL')
  }

  /** Waits until it ended by itself and gives the status; for agents that are told to die at a certain point. */
  ended(timeoutMs?: number): Promise<number | string> {
    return this.process.ended(timeoutMs)
  }

  /** `nodeleaf-agent uninstall`; the agent is stopped first. @throws CommandError */
  async uninstall(): Promise<string> {
    await this.stop()
    return run(this.argv('uninstall', ...this.flags()), { timeoutMs: 180_000 })
  }

  /** What `nodeleaf status -o json` prints, without starting a process. @throws CliError when no agent answers */
  status(): Promise<StatusDocument> {
    return askAgent(join(this.runDir, 'agent.sock'))
  }

  /** `nodeleaf WORDS --run-dir DIR` in the node's namespace. */
  cli(...words: string[]): Promise<Outcome> {
    const here = ['nsenter', `--net=/run/netns/${this.node}`, ...program('cli')]
    return attempt([...here, ...words, '--run-dir', this.runDir])
  }

  /** The whole log so far. */
  log(): Promise<string> {
    return this.process.log()
  }

  /** The last lines of the log. */
  tail(lines: number): Promise<string> {
    return this.process.tail(lines)
  }
}
