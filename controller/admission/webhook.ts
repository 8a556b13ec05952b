/**
 * The HTTPS server that the API server asks, POST /validate. Each replica answers from its own caches; one that has not
 * read everything yet says 503 to what it would need them for, and the webhook's failurePolicy decides.
 *
 * A new certificate serves connections from then on; those that stand are left alone.
 */
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { kindNamed } from '../../api/kinds/kinds.ts'
import { messageOf, type Log } from '../../log/log.ts'
import type { Certificates } from '../tls/certificates.ts'
import { admissionReview, answerTo, matterOf, type AdmissionRequest, type Verdict } from './admission-request.ts'
import type { AdmissionWorld } from './admission-world.ts'
import type { AdmissionMetrics } from './metrics.ts'
import { Reviewer } from './reviewer.ts'

export interface WebhookOptions {
  readonly host: string
  /** 0: any. */
  readonly port: number
  readonly certificates: Certificates
  /** Undefined until everything was read once. */
  readonly world: () => AdmissionWorld | undefined
  readonly metrics: AdmissionMetrics
  readonly log: Log
  /** Milliseconds of a clock that never goes back. @default performance.now */
  readonly now?: () => number
}

export class WebhookError extends Error {
  override readonly name = 'WebhookError'
  readonly code = 'ListenFailed'
}

/** An object has 1.5 MiB at most (etcd), and an update carries two of them. */
const LARGEST_BYTES = 8 * 1024 * 1024

/** The API server gives up after timeoutSeconds, 5 in our configuration. */
const REQUEST_MS = 10_000

/** Longer than the API server keeps a connection that is idle (90 s), so that none goes while a request is on its way. */
const KEPT_MS = 120_000

/** The request is at fault; the API server logs the text. */
class BadRequest extends Error {
  override readonly name = 'BadRequest'
  readonly status: 400 | 404 | 405 | 413 | 415
  constructor(status: BadRequest['status'], message: string) {
    super(message)
    this.status = status
  }
}

export class Webhook implements AsyncDisposable {
  readonly #server: Server
  readonly #options: WebhookOptions
  readonly #reviewer: Reviewer
  readonly #now: () => number
  readonly #closing = new AbortController()

  private constructor(options: WebhookOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#reviewer = new Reviewer(this.#now)
    const { certificates, log } = options
    const { cert, key } = certificates.serving
    this.#server = createServer(
      {
        cert,
        key,
        minVersion: 'TLSv1.2',
        requestTimeout: REQUEST_MS,
        headersTimeout: REQUEST_MS,
        keepAliveTimeout: KEPT_MS,
      },
      (request, response) => void this.#serve(request, response),
    )
    this.#server.on('tlsClientError', (error, socket) =>
      log.debug('a TLS handshake with the webhook failed', { peer: socket.remoteAddress, reason: messageOf(error) }),
    )
    certificates.onChange(() => this.#renew(), this.#closing.signal)
  }

  /** @throws WebhookError */
  static async open(options: WebhookOptions): Promise<Webhook> {
    const webhook = new Webhook(options)
    const { host, port } = options
    try {
      await webhook.#listen(host, port).catch((error: NodeJS.ErrnoException) => {
        // A machine without IPv6 has no `::`; there every address of IPv4 is meant.
        if (host !== '::' || (error.code !== 'EAFNOSUPPORT' && error.code !== 'EADDRNOTAVAIL')) throw error
        return webhook.#listen('0.0.0.0', port)
      })
      return webhook
    } catch (cause) {
      webhook.#closing.abort()
      throw new WebhookError(`cannot listen for the admission webhook on ${host} port ${port}; see --webhook`, {
        cause,
      })
    }
  }

  get port(): number {
    const bound = this.#server.address()
    return bound !== null && typeof bound === 'object' ? bound.port : 0
  }

  /** Answers what has been asked, then is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeIdleConnections()
    const late = setTimeout(() => this.#server.closeAllConnections(), 1000)
    await closed
    clearTimeout(late)
  }

  #listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
  }

  #renew(): void {
    const { cert, key } = this.#options.certificates.serving
    try {
      this.#server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' })
    } catch (error) {
      this.#options.log.error('the webhook serves with the old certificate: the new one is of no use', {
        reason: messageOf(error),
      })
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const asked = await read(request)
      const startMs = this.#now()
      const verdict = this.#verdict(asked)
      this.#count(asked, verdict === undefined ? 'error' : String(verdict.allowed), startMs)
      if (verdict) send(response, 200, 'application/json', JSON.stringify(answerTo(asked, verdict)))
      else
        send(response, 503, 'text/plain', 'nodeleaf-controller has not read all objects yet; try again in a moment\n')
    } catch (error) {
      if (error instanceof BadRequest) return send(response, error.status, 'text/plain', `${error.message}\n`)
      // The connection broke while the request was still coming.
      if (request.destroyed && !request.complete) return undefined
      this.#options.log.error('an admission request could not be reviewed', { error: messageOf(error) })
      send(response, 500, 'text/plain', 'nodeleaf-controller could not review this; its log says why\n')
    }
    return undefined
  }

  /** Undefined: it cannot be known yet. What needs no knowledge, like everything about deletion, is let through. */
  #verdict(asked: AdmissionRequest): Verdict | undefined {
    const world = this.#options.world()
    if (!world) return matterOf(asked).type === 'write' ? undefined : { allowed: true, warnings: [] }
    try {
      return this.#reviewer.review(asked, world)
    } catch (error) {
      this.#count(asked, 'error', this.#now())
      throw error
    }
  }

  #count(asked: AdmissionRequest, allowed: string, startMs: number): void {
    const { requests, duration } = this.#options.metrics
    const kind = kindNamed(asked.kind.kind)?.name ?? 'other'
    requests.inc({ operation: asked.operation, kind, allowed })
    duration.observe((this.#now() - startMs) / 1000)
  }
}

async function read(request: IncomingMessage): Promise<AdmissionRequest> {
  const path = (request.url ?? '').split('?', 1)[0]
  if (path !== '/validate') throw new BadRequest(404, 'there is only /validate here')
  if (request.method !== 'POST') throw new BadRequest(405, 'use POST')
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
    throw new BadRequest(415, 'Content-Type has to be application/json')
  if (Number(request.headers['content-length'] ?? 0) > LARGEST_BYTES) throw tooLarge()
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes > LARGEST_BYTES) throw tooLarge()
    chunks.push(chunk as Buffer)
  }
  const parsed = admissionReview.safeParse(json(Buffer.concat(chunks)))
  if (parsed.success) return parsed.data.request
  const [issue] = parsed.error.issues
  throw new BadRequest(
    400,
    `the body is not an AdmissionReview of admission.k8s.io/v1: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
  )
}

const tooLarge = (): BadRequest => new BadRequest(413, `the body has more than ${LARGEST_BYTES} bytes`)

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new BadRequest(400, 'the body is not JSON')
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  // What is left of a refused request is not read any more.
  const last = status >= 400 && status < 500 ? { connection: 'close' } : {}
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...last })
  response.end(body)
}
