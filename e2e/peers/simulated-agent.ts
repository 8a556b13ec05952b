/**
 * An agent without a node: takes its plan and acknowledges it, nothing else. A thousand of them fit into one process, each
 * with a TLS connection of its own as real ones have.
 */
import { create } from '@bufbuild/protobuf'
import { Client, credentials, Metadata, type ClientDuplexStream, type StatusObject } from '@grpc/grpc-js'
import {
  AcknowledgementSchema,
  AgentMessageSchema,
  HelloSchema,
  type AgentMessage,
  type ControllerMessage,
  type PlanUpdate,
} from '../../api/wire/generated/distribution_pb.ts'
import { connect, LEADER_TRAILER, PLAN_VERSION } from '../../api/wire/service.ts'

export interface SimulatedAgentOptions {
  /** ADDRESS:PORT */
  readonly controller: string
  /** PEM. */
  readonly ca: string
  /** Name in the controller's certificate, when it is not the address. */
  readonly serverName?: string
  readonly node: string
  readonly token?: string | undefined
  /** PEM: proves the node instead of a token. */
  readonly certificate?: { readonly cert: string; readonly key: string }
  /** For the controller to answer a ping; then the connection is taken for dead. @default 3000 */
  readonly pongMs?: number
  /** What the agent has on its disk. @default nothing */
  readonly revision?: string
  readonly refusedDigest?: string
  /** @default [PLAN_VERSION] */
  readonly planVersions?: readonly string[]
  /** @default true; false: says nothing by itself. */
  readonly hello?: boolean
  /** Called when an update is complete; decides what is answered. @default acknowledges at once */
  readonly answer?: (update: CompleteUpdate) => Answer | undefined | Promise<Answer | undefined>
  /** Called for every message that comes down. */
  readonly onMessage?: (message: ControllerMessage) => void
}

export interface CompleteUpdate {
  readonly base: string
  readonly revision: string
  readonly pieces: number
  readonly removed: number
  readonly messages: number
}

export interface Answer {
  readonly revision: string
  readonly error?: string
}

/** How the stream ended: status code, details, and the leader if one was named. */
export interface StreamEnd {
  readonly code: number
  readonly details: string
  readonly leader?: string
}

export class SimulatedAgent implements Disposable {
  /** Sizes of the pieces in place, by key: thousands of agents are not to hold thousands of plans. */
  readonly pieces = new Map<string, number>()
  readonly updates: CompleteUpdate[] = []
  readonly ended: Promise<StreamEnd>
  revision: string
  refusedDigest: string
  /** `performance.now()` of the last acknowledgement. */
  acknowledgedMs = 0
  readonly #options: SimulatedAgentOptions
  readonly #client: Client
  readonly #call: ClientDuplexStream<AgentMessage, ControllerMessage>
  #parts: PlanUpdate[] = []

  constructor(options: SimulatedAgentOptions) {
    this.#options = options
    this.revision = options.revision ?? ''
    this.refusedDigest = options.refusedDigest ?? ''
    this.#client = new Client(options.controller, channelCredentials(options), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_channelz': 0,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': options.pongMs ?? 3000,
      ...(options.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': options.serverName }),
    })
    const metadata = new Metadata()
    if (options.token !== undefined) metadata.set('authorization', `Bearer ${options.token}`)
    const { path, requestSerialize, responseDeserialize } = connect
    this.#call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata)
    this.ended = new Promise((resolve) => {
      this.#call.on('status', ({ code, details, metadata: trailer }: StatusObject) => {
        const [leader] = trailer.get(LEADER_TRAILER)
        resolve({ code, details, ...(typeof leader === 'string' ? { leader } : {}) })
        this.#client.close()
      })
    })
    // Comes with the status.
    this.#call.on('error', () => {})
    this.#call.on('data', (message: ControllerMessage) => this.#receive(message))
    const { node, planVersions = [PLAN_VERSION], hello = true } = options
    if (!hello) return
    const { revision, refusedDigest } = this
    this.send({
      case: 'hello',
      value: create(HelloSchema, { node, revision, refusedDigest, planVersions: [...planVersions] }),
    })
  }

  send(message: AgentMessage['message']): void {
    this.#call.write(create(AgentMessageSchema, { message }))
  }

  acknowledge({ revision, error = '' }: Answer): void {
    this.send({ case: 'acknowledgement', value: create(AcknowledgementSchema, { revision, error }) })
    this.acknowledgedMs = performance.now()
  }

  /** Stops reading: what comes stays in the sockets. */
  freeze(): void {
    this.#call.pause()
  }

  thaw(): void {
    this.#call.resume()
  }

  [Symbol.dispose](): void {
    this.#call.cancel()
    this.#client.close()
  }

  #receive(message: ControllerMessage): void {
    this.#options.onMessage?.(message)
    if (message.message.case !== 'plan') return
    this.#parts.push(message.message.value)
    if (message.message.value.more) return
    const parts = this.#parts
    this.#parts = []
    void this.#take(parts)
  }

  async #take(parts: readonly PlanUpdate[]): Promise<void> {
    const { base = '', revision = '' } = parts.at(-1) ?? {}
    const set = parts.flatMap((part) => part.set)
    const remove = parts.flatMap((part) => part.remove)
    const update = { base, revision, pieces: set.length, removed: remove.length, messages: parts.length }
    this.updates.push(update)
    if (base !== '' && base !== this.revision)
      return this.acknowledge({ revision: this.revision, error: `base ${base} is not what is here` })
    const answer = this.#options.answer ? await this.#options.answer(update) : { revision }
    if (!answer) return
    if (answer.revision === revision) {
      if (base === '') this.pieces.clear()
      for (const { key, json } of set) this.pieces.set(key, json.length)
      for (const key of remove) this.pieces.delete(key)
      this.revision = revision
      if (parts[0]?.refused) this.refusedDigest = parts[0].refusedDigest
    }
    this.acknowledge(answer)
  }
}

function channelCredentials({ ca, certificate }: SimulatedAgentOptions) {
  if (!certificate) return credentials.createSsl(Buffer.from(ca))
  return credentials.createSsl(Buffer.from(ca), Buffer.from(certificate.key), Buffer.from(certificate.cert))
}
