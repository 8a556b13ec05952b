/** Requests to one API server, with whatever proves who we are: kept connections, files that change, programs that print. */
import { createHash } from 'node:crypto'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { ApiError } from './api-error.ts'
import { CredentialFile } from './credential-file.ts'
import { runExecPlugin, type ExecCredential } from './exec-credential.ts'
import type { Cluster, Material } from './kubeconfig.ts'

export interface HttpRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /** How long the server may take until its answer begins. */
  readonly timeoutMs: number
  /** Ends the request and its answer. */
  readonly signal?: AbortSignal | undefined
  /** Watches take a connection each and keep it; they must not use up those of the others. */
  readonly stream?: boolean
}

/** Connections at one time for everything that is no watch. */
const CONNECTIONS = 16

interface Agents {
  readonly stamp: string
  readonly pooled: HttpAgent
  readonly streams: HttpAgent
}

export class Connection {
  readonly server: URL
  readonly #cluster: Cluster
  readonly #files = new Map<string, CredentialFile>()
  #exec: Promise<ExecCredential> | undefined
  #agents: Agents | undefined

  constructor(cluster: Cluster) {
    this.server = cluster.server
    this.#cluster = cluster
  }

  /** The answer, when its head has come. @throws ApiError `Timeout`, `Credentials`; else what the socket says. */
  async open(request: HttpRequest): Promise<IncomingMessage> {
    const credential = await this.#credential()
    const agents = await this.#agentsFor(credential)
    const authorization = await this.#authorization(credential)
    request.signal?.throwIfAborted()
    const { server } = this
    const { impersonate } = this.#cluster.user
    const headers: Record<string, string> = { ...request.headers }
    if (authorization !== undefined) headers['authorization'] = authorization
    if (impersonate !== undefined) headers['impersonate-user'] = impersonate
    if (request.body !== undefined) headers['content-length'] = String(Buffer.byteLength(request.body))
    const options = {
      method: request.method,
      host: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port === '' ? (server.protocol === 'https:' ? 443 : 80) : Number(server.port),
      path: `${server.pathname.replace(/\/$/, '')}${request.path}`,
      headers,
      agent: request.stream === true ? agents.streams : agents.pooled,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    }
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const call = server.protocol === 'https:' ? httpsRequest(options) : httpRequest(options)
    const timer = setTimeout(() => {
      const seconds = Math.round(request.timeoutMs / 100) / 10
      call.destroy(new ApiError(`no answer within ${seconds} s`, { reason: 'Timeout' }))
    }, request.timeoutMs)
    call.on('response', resolve).on('error', reject)
    call.end(request.body)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
    }
  }

  /** After a 401: what was printed or read before is not used again. */
  expireCredentials(): void {
    this.#exec = undefined
    for (const file of this.#files.values()) file.expire()
  }

  close(): void {
    this.#agents?.pooled.destroy()
    this.#agents?.streams.destroy()
    this.#agents = undefined
  }

  async #credential(): Promise<ExecCredential | undefined> {
    const { exec } = this.#cluster.user
    if (exec === undefined) return undefined
    const held = this.#exec
    const known = await held?.catch(() => undefined)
    // Renewed a little early, as a request takes its time.
    if (known !== undefined && (known.expiresAtMs === undefined || known.expiresAtMs > Date.now() + 10_000))
      return known
    if (this.#exec === held || this.#exec === undefined) this.#exec = runExecPlugin(exec)
    const running = this.#exec
    try {
      return await running
    } catch (error) {
      if (this.#exec === running) this.#exec = undefined
      throw error
    }
  }

  async #authorization(credential: ExecCredential | undefined): Promise<string | undefined> {
    const { token, basic } = this.#cluster.user
    const bearer = credential?.token ?? (await this.#material(token))?.toString('utf8').trim()
    if (bearer !== undefined && bearer !== '') return `Bearer ${bearer}`
    if (basic === undefined) return undefined
    return `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`
  }

  /** New agents when a certificate has changed; requests under way finish on the old ones. */
  async #agentsFor(credential: ExecCredential | undefined): Promise<Agents> {
    const { ca, user, insecure, tlsServerName } = this.#cluster
    const trusted = await this.#material(ca)
    const cert = credential?.cert ?? (await this.#material(user.cert))
    const key = credential?.key ?? (await this.#material(user.key))
    const hash = createHash('sha256')
    for (const part of [trusted, cert, key]) hash.update(part ?? '').update('\0')
    const stamp = hash.digest('base64')
    if (this.#agents?.stamp === stamp) return this.#agents
    const options = {
      keepAlive: true,
      // TCP keepalive; ends connections to a machine that is gone.
      keepAliveMsecs: 15_000,
      ca: trusted,
      cert,
      key,
      rejectUnauthorized: !insecure,
      ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
    }
    const make = (maxSockets: number): HttpAgent =>
      this.server.protocol === 'https:'
        ? new HttpsAgent({ ...options, maxSockets })
        : new HttpAgent({ keepAlive: true, keepAliveMsecs: 15_000, maxSockets })
    this.#agents = { stamp, pooled: make(CONNECTIONS), streams: make(Infinity) }
    return this.#agents
  }

  async #material(material: Material | undefined): Promise<Buffer | undefined> {
    if (material === undefined) return undefined
    if ('data' in material) return material.data
    const file = this.#files.get(material.file) ?? new CredentialFile(material.file)
    this.#files.set(material.file, file)
    return await file.read()
  }
}
