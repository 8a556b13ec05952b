/** A controller on loopback that speaks real gRPC over TLS and does what the test says. */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, type StatusObject } from '@grpc/grpc-js'
import {
  ControllerMessageSchema,
  type AgentMessage,
  type ControllerMessage,
} from '../../api/wire/generated/distribution_pb.ts'
import { connect } from '../../api/wire/service.ts'
import type { Pki } from './pki.ts'

type Stream = ServerDuplexStream<AgentMessage, ControllerMessage>

/** One stream as the controller sees it. */
export class FakeStream {
  readonly #stream: Stream
  readonly messages: AgentMessage['message'][] = []
  ended = false

  constructor(stream: Stream) {
    this.#stream = stream
    stream.on('data', ({ message }: AgentMessage) => this.messages.push(message))
    for (const event of ['end', 'cancelled', 'error'] as const)
      stream.on(event, () => {
        this.ended = true
        stream.end()
      })
  }

  get token(): string | undefined {
    return this.#stream.metadata.get('authorization')[0]?.toString()
  }

  /** DER of the agent's certificate. */
  get certificate(): Uint8Array | undefined {
    return this.#stream.getAuthContext().sslPeerCertificate?.raw
  }

  all<Case extends string>(wanted: Case) {
    return this.messages.flatMap((message) =>
      message.case === wanted ? [message.value as Extract<AgentMessage['message'], { case: Case }>['value']] : [],
    )
  }

  send(message: NonNullable<MessageInitShape<typeof ControllerMessageSchema>['message']>): void {
    this.#stream.write(create(ControllerMessageSchema, { message }))
  }

  welcome(controller = 'fake'): void {
    this.send({ case: 'welcome', value: { controller } })
  }

  fail(code: number, details: string, trailers: Readonly<Record<string, string>> = {}): void {
    const metadata = new Metadata()
    for (const [key, value] of Object.entries(trailers)) metadata.set(key, value)
    this.#stream.emit('error', { code, details, metadata } satisfies StatusObject)
  }
}

export class FakeController {
  readonly streams: FakeStream[] = []
  readonly #server = new Server({ 'grpc.keepalive_time_ms': 60_000 })
  port = 0

  /** `opened` is called for each stream; `mutual`: the agent has to present a certificate. */
  static async start(
    pki: Pki,
    opened: (stream: FakeStream) => void,
    mutual = false,
    address = '127.0.0.1',
  ): Promise<FakeController> {
    const fake = new FakeController()
    fake.#server.addService(
      { connect },
      {
        connect: (stream: Stream) => {
          const made = new FakeStream(stream)
          fake.streams.push(made)
          opened(made)
        },
      },
    )
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const secure = ServerCredentials.createSsl(
      Buffer.from(pki.ca.certificate),
      [{ cert_chain: Buffer.from(pki.server.certificate), private_key: Buffer.from(pki.server.key) }],
      mutual,
    )
    fake.#server.bindAsync(`${address}:0`, secure, (error, port) => (error ? reject(error) : resolve(port)))
    fake.port = await promise
    return fake
  }

  stop(): void {
    this.#server.forceShutdown()
  }
}
