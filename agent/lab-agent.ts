/** For lab tests: a host in a namespace with a NIC to a neighbour, and the real agent on it. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { askAgent } from '../cli/status.ts'
import { eventually } from '../e2e/lab/eventually.ts'
import type { StatusDocument } from './status/document.ts'

const PROGRAM = join(import.meta.dirname, '..', 'bin', 'nodeleaf-agent')

export function sh(script: string): string {
  return execFileSync('sh', ['-ec', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** For the NIC that every host here has. */
export const UNDERLAY = `
apiVersion: nodeleaf.io/v1alpha1
kind: Underlay
metadata: {name: fabric}
spec:
  asn: 64514
  interfaces: [{name: eth1}]
  vtep: {cidrs: [100.65.0.0/24]}
  neighbors: [{address: 192.168.10.1, type: External}]
`

export class LabAgent {
  readonly host: string
  readonly router: string
  readonly configDir: string
  readonly #base: string
  readonly #flags: readonly string[]
  #child: ChildProcess | undefined
  /** Everything the agents of this host wrote. */
  log = ''

  /** `more`: further flags. */
  constructor(name: string, more: Readonly<Record<string, string>> = {}) {
    this.#base = mkdtempSync(join(tmpdir(), 'nodeleaf-lab-'))
    this.host = `${name}h`
    this.router = `${name}r`
    this.configDir = join(this.#base, 'config')
    mkdirSync(this.configDir)
    sh(`ip netns add ${this.host}; ip -n ${this.host} link set lo up; ip netns add ${name}t
      ip link add eth1 netns ${this.host} type veth peer name swp1 netns ${name}t
      ip -n ${this.host} addr add 192.168.10.11/24 dev eth1; ip -n ${this.host} addr add fd00:10::11/64 dev eth1 nodad
      ip -n ${this.host} link set eth1 up; ip -n ${name}t link set swp1 up
      ip -n ${this.host} route add default via 192.168.10.1`)
    this.#flags = Object.entries({
      'config-dir': this.configDir,
      'state-dir': join(this.#base, 'state'),
      'run-dir': this.runDir,
      netns: this.router,
      node: name,
      index: '0',
      ...more,
    }).flatMap(([flag, value]) => [`--${flag}`, value])
  }

  get runDir(): string {
    return join(this.#base, 'run')
  }

  /** Files left in the state and run directories. */
  get leftovers(): string[] {
    return ['state', 'run'].flatMap((directory) => {
      try {
        return readdirSync(join(this.#base, directory)).map((name) => `${directory}/${name}`)
      } catch {
        return []
      }
    })
  }

  /**
   * Waits until no IPv6 address of the host or its router is tentative any more, and the NIC, when it is the host's, has
   * its link-local one: the kernel brings that by itself, a second or two after the link is up.
   */
  async still(): Promise<void> {
    const addresses = (namespace: string, which: string): string =>
      sh(`[ ! -e /run/netns/${namespace} ] || ip -n ${namespace} -o -6 addr show ${which}`)
    await eventually('duplicate address detection is over', () => {
      const isHosts = sh(`ip -n ${this.host} -br link`).includes('eth1')
      if (isHosts && !addresses(this.host, 'scope link').includes('eth1')) return false
      return [this.host, this.router].every((namespace) => addresses(namespace, 'tentative') === '')
    })
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.#base, 'draft'), text)
    renameSync(join(this.#base, 'draft'), join(this.configDir, file))
  }

  remove(file: string): void {
    rmSync(join(this.configDir, file))
  }

  async start(): Promise<void> {
    const child = this.#spawn([])
    this.#child = child
    await eventually('the agent answers', () => this.status())
  }

  /** Ends the agent; its exit code, or the signal's name. */
  async stop(signal: NodeJS.Signals): Promise<number | string | null> {
    const child = this.#child
    if (child === undefined) return null
    const { promise, resolve } = Promise.withResolvers<number | string | null>()
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode)
    child.once('exit', (code, by) => resolve(code ?? by))
    child.kill(signal)
    this.#child = undefined
    return promise
  }

  async uninstall(): Promise<number | null> {
    const child = this.#spawn(['uninstall'])
    const { promise, resolve } = Promise.withResolvers<number | null>()
    child.once('exit', resolve)
    return promise
  }

  #spawn(command: readonly string[]): ChildProcess {
    const args = [`--net=/run/netns/${this.host}`, PROGRAM, ...command, ...this.#flags]
    const child = spawn('nsenter', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      this.log += part
    })
    return child
  }

  status(): Promise<StatusDocument> {
    return askAgent(join(this.runDir, 'agent.sock'))
  }

  /** Waits until the revision that is wanted is wholly in place and `holds`. */
  async settled(holds: (status: StatusDocument) => boolean = () => true): Promise<StatusDocument> {
    let last: StatusDocument | undefined
    try {
      return await eventually('the agent has applied the plan', async () => {
        last = await this.status()
        const { desired, applied } = last.revision
        return desired !== undefined && desired === applied && holds(last) ? last : undefined
      })
    } catch (error) {
      throw new Error(`${JSON.stringify(last, undefined, 1)}\n${this.log}`, { cause: error })
    }
  }
}
