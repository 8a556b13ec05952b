/**
 * A node of the benchmark in the guest: a router namespace, a NIC, an FRR and an agent, all of them new. Every contestant
 * starts from the same state, an Underlay and no VNI, which the agent has made.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { ManagedFrr } from '../../agent/frr/managed.ts'
import { daemons } from '../../agent/frr/daemons.ts'
import { FakeController, type FakeStream } from '../../e2e/peers/fake-controller.ts'
import { makePki, type Pki } from '../../e2e/peers/pki.ts'
import type { StatusDocument } from '../../agent/status/document.ts'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import { piecesOf } from '../../api/plan/pieces.ts'
import type { Piece } from '../../api/plan/plan-version.ts'
import { revisionOfPieces } from '../../api/plan/revision.ts'
import { PlanUpdateSchema } from '../../api/wire/generated/distribution_pb.ts'
import { askAgent } from '../../cli/status.ts'
import { messageOf } from '../../log/log.ts'
import { command } from './command.ts'
import { idleShare, machineTimes } from './cost.ts'
import type { Shape } from './sample.ts'
import { NIC, NODE, nodePlan } from './workload.ts'

export interface NodeOptions {
  /** The agent's bundle. */
  readonly program: string
  readonly shape: Shape
  readonly profile?: string
}

/** Longest for something small, and for a plan of thousands of VNIs. */
const SMALL_MS = 60_000
const LARGE_MS = 900_000
/** As the controller does: messages of about 14 KiB. */
const PIECES_A_MESSAGE = 70

export class Node {
  /** Name of the router's namespace and of FRR's path space. */
  readonly router: string
  readonly #options: NodeOptions
  readonly #base: string
  readonly #frr: ManagedFrr
  readonly #controller: FakeController
  readonly #pki: Pki
  #pieces: readonly Piece[] = []
  #revision = ''
  #agent: ChildProcess | undefined
  /** Streams when the agent was launched. */
  #streams = 0

  private constructor(options: NodeOptions, pki: Pki, controller: FakeController) {
    this.#options = options
    this.#base = mkdtempSync('/tmp/nodeleaf-bench-')
    this.router = basename(this.#base).replace('nodeleaf-', '')
    this.#pki = pki
    this.#controller = controller
    this.#frr = new ManagedFrr({ name: this.router, netns: `/run/netns/${this.router}` })
  }

  /** A new one, with the Underlay in place. */
  static async up(options: NodeOptions): Promise<Node> {
    const pki = await makePki(['127.0.0.1'])
    const node = new Node(options, pki, await FakeController.start(pki, (stream) => stream.welcome()))
    try {
      await node.#underlay()
      return node
    } catch (error) {
      const why = new Error(`${messageOf(error)}\nthe agent's log:\n${node.tail()}`, { cause: error })
      await node.down()
      throw why
    }
  }

  async #underlay(): Promise<void> {
    await command(
      ['ip', '-batch', '-'],
      `link add ${NIC.name} type veth peer name far0\naddr add ${NIC.address} dev ${NIC.name}\nlink set ${NIC.name} up\nlink set far0 up\n`,
    )
    mkdirSync(join(this.#base, 'config'))
    await this.start()
    this.prepared(nodePlan(0))()
    await this.applied(SMALL_MS)
  }

  get frrSockets(): string {
    return this.#frr.socketsDir
  }

  get agentPid(): number | undefined {
    return this.#agent?.pid
  }

  get revision(): string {
    return this.#revision
  }

  pids(): Readonly<Record<string, number | undefined>> {
    const frr = Object.fromEntries(
      daemons.flatMap((daemon) => {
        const file = join(this.frrSockets, `${daemon}.pid`)
        return existsSync(file) ? [[daemon, Number(readFileSync(file, 'utf8'))]] : []
      }),
    )
    return { agent: this.agentPid, ...frr, bench: process.pid }
  }

  /** Starts the agent and waits until its stream is open. */
  async start(): Promise<void> {
    this.launch()
    await this.opened()
  }

  /** Waits until the agent that was launched last has opened its stream. */
  async opened(): Promise<void> {
    await this.until('opens its stream', () => this.#controller.streams.length > this.#streams)
  }

  launch(): void {
    const { program, shape, profile } = this.#options
    const { files } = this.#pki
    this.#streams = this.#controller.streams.length
    const log = openSync(this.#logFile, 'a')
    const child = spawn(
      process.execPath,
      [
        ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
        program,
        ...Object.entries({
          'config-dir': join(this.#base, 'config'),
          'state-dir': join(this.#base, 'state'),
          'run-dir': this.#runDir,
          netns: this.router,
          node: NODE.name,
          index: String(NODE.index),
          controller: `127.0.0.1:${this.#controller.port}`,
          'controller-ca': files.ca,
          'token-file': files.token,
          datapath: shape,
        }).flatMap(([flag, value]) => [`--${flag}`, value]),
      ],
      // As its image and its unit start it.
      { stdio: ['ignore', log, log], env: { ...process.env, NODE_OPTIONS: '--v8-pool-size=1' } },
    )
    closeSync(log)
    child.on('error', () => {})
    this.#agent = child
  }

  /** Makes the messages that the controller would send; what comes back sends them. The agent starts at the last one. */
  prepared(plan: NodePlan): () => void {
    const after = piecesOf(plan)
    const was = new Map(this.#pieces.map(({ key, json }) => [key, Buffer.from(json)]))
    const set = after
      .filter(({ key, json }) => was.get(key)?.equals(json) !== true)
      .map(({ key, json }) => ({ key, json: new Uint8Array(json) }))
    const still = new Set(after.map(({ key }) => key))
    const remove = [...was.keys()].filter((key) => !still.has(key))
    const [base, revision] = [this.#revision, revisionOfPieces(NODE.name, after)]
    const parts = Math.max(1, Math.ceil(set.length / PIECES_A_MESSAGE))
    const messages = Array.from({ length: parts }, (_, part) =>
      create(PlanUpdateSchema, {
        base,
        revision,
        set: set.slice(part * PIECES_A_MESSAGE, (part + 1) * PIECES_A_MESSAGE),
        remove: part === 0 ? remove : [],
        more: part < parts - 1,
      }),
    )
    return () => {
      for (const value of messages) this.#stream.send({ case: 'plan', value })
      this.#pieces = after
      this.#revision = revision
    }
  }

  /** Waits until the agent says that the plan is in place. */
  async applied(boundMs = LARGE_MS): Promise<void> {
    const is = (): boolean => this.#stream.all('report').at(-1)?.applied === this.#revision
    await this.until('applies the plan', is, 10, boundMs)
  }

  status(): Promise<StatusDocument> {
    return askAgent(this.socket)
  }

  /** Whether the agent has made a pass. */
  readonly reconciled = async (): Promise<boolean> =>
    existsSync(this.socket) &&
    this.status().then(
      ({ counters }) => counters.reconciles > 0,
      () => false,
    )

  get socket(): string {
    return join(this.#runDir, 'agent.sock')
  }

  /** Waits for the agent; ends at once when it has ended. @throws Error with the end of its log */
  async until(what: string, look: () => boolean | Promise<boolean>, everyMs = 10, boundMs = SMALL_MS): Promise<void> {
    const end = performance.now() + boundMs
    while (!(await look())) {
      if (!this.running) throw new Error(`the agent ended before it ${what}:\n${this.tail()}`)
      if (performance.now() > end) throw new Error(`the agent does not within ${boundMs} ms: ${what}\n${this.tail()}`)
      await sleep(everyMs)
    }
  }

  /** SIGTERM lets it write its profile. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const agent = this.#agent
    if (agent === undefined || !this.running) return
    const ended = once(agent, 'exit')
    agent.kill(this.#options.profile === undefined ? signal : 'SIGTERM')
    const giveUp = setTimeout(() => agent.kill('SIGKILL'), 60_000)
    await ended
    clearTimeout(giveUp)
  }

  tail(lines = 12): string {
    if (!existsSync(this.#logFile)) return 'it has none'
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  }

  /** Takes everything away, and waits until the kernel has done so. */
  async down(): Promise<void> {
    await this.stop('SIGKILL')
    this.#controller.stop()
    await this.#frr.stop()
    if (existsSync(`/run/netns/${this.router}`)) await command(['ip', 'netns', 'del', this.router])
    rmSync(this.#base, { recursive: true, force: true })
    // The kernel takes a namespace apart in its own time, and with it the other ends in the host.
    while ((await command(['ip', '-br', 'link', 'show', 'type', 'veth'])) !== '') await sleep(50)
    await calm()
  }

  get #stream(): FakeStream {
    const stream = this.#controller.streams.at(-1)
    if (stream === undefined) throw new Error(`no stream of an agent is open:\n${this.tail()}`)
    return stream
  }

  get running(): boolean {
    return this.#agent !== undefined && this.#agent.exitCode === null && this.#agent.signalCode === null
  }

  get #runDir(): string {
    return join(this.#base, 'run')
  }

  get #logFile(): string {
    return join(this.#base, 'agent.log')
  }
}

/** Waits until the machine has nothing left to do of what was before; a namespace's end goes on for a while. */
export async function calm(boundMs = 60_000): Promise<void> {
  const end = performance.now() + boundMs
  let quiet = 0
  while (quiet < 2 && performance.now() < end) {
    const before = machineTimes()
    await sleep(200)
    quiet = idleShare(before, machineTimes()) > 0.9 ? quiet + 1 : 0
  }
}
