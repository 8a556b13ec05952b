/** For tests: a controller on loopback that speaks real gRPC over TLS and does what the test says. */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, type StatusObject } from '@grpc/grpc-js'
// @peculiar/x509 resolves its parts with tsyringe, which looks for this polyfill when it is loaded.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ControllerMessageSchema,
  type AgentMessage,
  type ControllerMessage,
} from '../../api/wire/generated/distribution_pb.ts'
import { connect } from '../../api/wire/service.ts'

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

interface Pair {
  readonly certificate: string
  readonly key: string
}

export interface Pki {
  readonly ca: Pair
  readonly server: Pair
  readonly client: Pair
  readonly files: { readonly ca: string; readonly cert: string; readonly key: string; readonly token: string }
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A CA, a server certificate for `names`, and a client's, also as files beside a token. `lifeMs` below 0: they have ended. */
export async function makePki(names: readonly string[], lifeMs = 3_600_000): Promise<Pki> {
  const notBefore = new Date(Date.now() - 3_600_000)
  const notAfter = new Date(Date.now() + lifeMs)
  const caKeys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const validity = { notBefore, notAfter, signingAlgorithm: ALGORITHM }
  const ca = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    notAfter: new Date(Date.now() + 3_600_000),
    name: 'CN=test CA',
    keys: caKeys,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  })
  const issued = async (subject: string, sans: readonly string[], usage: ExtendedKeyUsage): Promise<Pair> => {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const certificate = await X509CertificateGenerator.create({
      ...validity,
      subject,
      issuer: ca.subject,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      extensions: [
        new ExtendedKeyUsageExtension([usage]),
        new SubjectAlternativeNameExtension(
          sans.map((value) => ({ type: /^[0-9.]+$/.test(value) ? 'ip' : 'dns', value })),
        ),
      ],
    })
    return { certificate: certificate.toString('pem'), key: await pem(keys.privateKey) }
  }
  const server = await issued('CN=server', names, ExtendedKeyUsage.serverAuth)
  const client = await issued('CN=n1', ['n1', ...names], ExtendedKeyUsage.clientAuth)
  const directory = mkdtempSync(join(tmpdir(), 'nodeleaf-pki-'))
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  }
  return {
    ca: { certificate: ca.toString('pem'), key: await pem(caKeys.privateKey) },
    server,
    client,
    files: {
      ca: file('ca.pem', ca.toString('pem')),
      cert: file('client.pem', client.certificate),
      key: file('client.key', client.key),
      token: file('token', 'token-1\n'),
    },
  }
}

async function pem(key: Parameters<typeof crypto.subtle.exportKey>[1]): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${der.replaceAll(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
}
