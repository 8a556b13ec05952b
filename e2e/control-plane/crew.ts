/** Simulated agents that behave: each finds who leads, keeps its plan over any outage, and reports as it is told to. */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { setTimeout as sleep } from 'node:timers/promises'
import { ReportSchema, type ControllerMessage, type PlanUpdate } from '../../api/wire/generated/distribution_pb.ts'
import { SimulatedAgent, type CompleteUpdate } from '../peers/simulated-agent.ts'

type Report = MessageInitShape<typeof ReportSchema>

export interface AgentOptions {
  readonly node: string
  readonly token: string
  /** PEM. */
  readonly ca: string
  /** ADDRESS:PORT of each replica. */
  readonly controllers: readonly string[]
  /** What it says beside that all is done. */
  readonly report?: Report
}

const REDIAL_MS = 200

export class CrewAgent {
  readonly node: string
  /** JSON of each piece of its plan, by key. */
  readonly pieces = new Map<string, string>()
  readonly updates: CompleteUpdate[] = []
  /** Who said welcome, each time. */
  readonly welcomes: string[] = []
  detailsAsked = 0
  report: Report
  readonly #options: AgentOptions
  readonly #stop = new AbortController()
  #stream: SimulatedAgent | undefined
  #revision = ''
  #refusedDigest = ''
  #parts: PlanUpdate[] = []
  readonly #running: Promise<void>

  constructor(options: AgentOptions) {
    this.#options = options
    this.node = options.node
    this.report = options.report ?? {}
    this.#running = this.#run()
  }

  get revision(): string {
    return this.#revision
  }

  /** Says how it fares; by itself it does so after each welcome and each update. */
  say(report: Report = this.report): void {
    this.report = report
    const lastGood = this.#revision
    this.#stream?.send({
      case: 'report',
      value: create(ReportSchema, { applied: lastGood, lastGood, settled: true, ...report }),
    })
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#stream?.[Symbol.dispose]()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let leader: string | undefined
    for (let round = 0; !signal.aborted; round++) {
      const { controllers } = this.#options
      this.#parts = []
      const stream = this.#dial(leader ?? controllers[round % controllers.length] ?? '')
      this.#stream = stream
      if (signal.aborted) stream[Symbol.dispose]()
      const end = await stream.ended
      this.#stream = undefined
      leader = leader === end.leader ? undefined : end.leader
      await sleep(REDIAL_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  #dial(controller: string): SimulatedAgent {
    const { node, token, ca } = this.#options
    const [revision, refusedDigest] = [this.#revision, this.#refusedDigest]
    const onMessage = ({ message }: ControllerMessage): void => {
      if (message.case === 'welcome') {
        this.welcomes.push(message.value.controller)
        this.say()
      }
      if (message.case === 'detailRequest') this.detailsAsked++
      if (message.case === 'plan') this.#parts.push(message.value)
    }
    const answer = (update: CompleteUpdate): { revision: string } => {
      this.#take(update)
      setImmediate(() => this.say())
      return { revision: update.revision }
    }
    const identity = { controller, ca, serverName: 'nodeleaf-controller', node, token }
    return new SimulatedAgent({ ...identity, revision, refusedDigest, onMessage, answer })
  }

  #take(update: CompleteUpdate): void {
    this.updates.push(update)
    if (update.base === '') this.pieces.clear()
    for (const { set, remove, refused, refusedDigest } of this.#parts.splice(0)) {
      for (const { key, json } of set) this.pieces.set(key, Buffer.from(json).toString())
      for (const key of remove) this.pieces.delete(key)
      if (refused !== undefined) this.#refusedDigest = refusedDigest
    }
    this.#revision = update.revision
  }
}
