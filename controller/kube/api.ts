/**
 * The Kubernetes API by its verbs, for objects of any kind. Answers are what the server says; failures are ApiErrors.
 * Nothing is logged here, so no body of a Secret ever is.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/
 */
import type { IncomingMessage } from 'node:http'
import { monotonicClock, type Clock } from '../../pace/clock.ts'
import { ApiError, failure, refusal, type Status, type Verb } from './api-error.ts'
import { Connection } from './connection.ts'
import { drain, textOf } from './body.ts'
import type { Cluster } from './kubeconfig.ts'
import { apiVersionOf, pathOf, type Collection, type KubeObject, type Target } from './object.ts'
import { retryDelayMs } from './retry.ts'
import { eventsOf, type WatchEvent } from './watch-stream.ts'

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** For one attempt, until the last byte of the answer. @default 30000 */
  readonly timeoutMs?: number | undefined
  /** How often at most, when the server asks to come again (429, 503) or the connection breaks. @default 4 */
  readonly attempts?: number | undefined
}

/** What was called and what came of it, for metrics and for the test that compares calls with RBAC. */
export interface Call {
  readonly verb: Verb
  readonly at: Collection & Partial<Target>
  /** `OK`, or the reason of the ApiError. */
  readonly result: string
  readonly milliseconds: number
}

export interface ApiOptions {
  readonly cluster: Cluster
  readonly userAgent: string
  readonly observe?: ((call: Call) => void) | undefined
  readonly clock?: Clock
  readonly random?: () => number
}

export interface Selection {
  readonly fieldSelector?: string | undefined
  readonly labelSelector?: string | undefined
}

export interface ListPage extends Selection {
  readonly limit?: number | undefined
  /** Of the page before. */
  readonly continue?: string | undefined
}

export interface List<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string | undefined }
  readonly items: readonly T[]
}

export interface WatchFrom extends Selection {
  readonly resourceVersion: string
  /** After which the server ends the watch by itself. */
  readonly timeoutSeconds: number
  /** Milliseconds that the server may be late with that before it counts as frozen. */
  readonly graceMs: number
}

interface Request {
  readonly verb: Verb
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly at: Collection & Partial<Target>
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: object
  readonly contentType?: string
  /** Doing it twice is as good as doing it once. */
  readonly repeatable: boolean
  /** Nobody looks at the answer, which is the whole object: hundreds of KiB for a status of a few lines. */
  readonly mute?: boolean
}

const TIMEOUT_MS = 30_000
const ATTEMPTS = 4
const NEVER = new AbortController().signal

export class Api {
  readonly #connection: Connection
  readonly #options: ApiOptions
  readonly #clock: Clock
  readonly #random: () => number

  constructor(options: ApiOptions) {
    this.#connection = new Connection(options.cluster)
    this.#options = options
    this.#clock = options.clock ?? monotonicClock
    this.#random = options.random ?? Math.random
  }

  get<T extends object = KubeObject>(at: Target, options: CallOptions = {}): Promise<T> {
    return this.#call({ verb: 'get', method: 'GET', at, repeatable: true }, options)
  }

  /** One page; without `limit` everything. Items have the `kind` and `apiVersion` that lists leave out. */
  async list<T extends KubeObject>(at: Collection, page: ListPage = {}, options: CallOptions = {}): Promise<List<T>> {
    const { limit, fieldSelector, labelSelector } = page
    const query = { limit, continue: page.continue, fieldSelector, labelSelector }
    const list = await this.#call<List<T>>({ verb: 'list', method: 'GET', at, query, repeatable: true }, options)
    const of = { apiVersion: apiVersionOf(at.type), kind: at.type.kind }
    return { metadata: list.metadata, items: (list.items ?? []).map((item) => ({ ...of, ...item })) }
  }

  /** `repeatable`: a review, say, that leaves nothing behind and may be sent again when the connection breaks. */
  create<T extends object = KubeObject>(
    at: Collection & { readonly subresource?: string; readonly name?: string },
    body: object,
    options: CallOptions & { readonly repeatable?: boolean } = {},
  ): Promise<T> {
    return this.#call({ verb: 'create', method: 'POST', at, body, repeatable: options.repeatable ?? false }, options)
  }

  /** With a resourceVersion in `body` it fails with 409 when somebody else was faster. */
  replace<T extends object = KubeObject>(at: Target, body: object, options: CallOptions = {}): Promise<T> {
    return this.#call({ verb: 'update', method: 'PUT', at, body, repeatable: true }, options)
  }

  async delete(
    at: Target,
    options: CallOptions & { readonly preconditions?: { uid?: string; resourceVersion?: string } } = {},
  ): Promise<void> {
    const { preconditions } = options
    const body = preconditions === undefined ? {} : { body: { kind: 'DeleteOptions', apiVersion: 'v1', preconditions } }
    await this.#call({ verb: 'delete', method: 'DELETE', at, repeatable: true, ...body }, options)
  }

  /**
   * Server-side apply: `fields` is all that this field manager wants of the object; makes the object if there is none.
   * Fields of other managers are taken over; what the object is then is not looked at. https://kubernetes.io/docs/reference/using-api/server-side-apply/
   */
  async apply(
    at: Target,
    fields: object,
    { fieldManager, ...options }: CallOptions & { readonly fieldManager: string },
  ): Promise<void> {
    const { type, namespace, name } = at
    const metadata = 'metadata' in fields && typeof fields.metadata === 'object' ? fields.metadata : {}
    const body = {
      ...fields,
      apiVersion: apiVersionOf(type),
      kind: type.kind,
      metadata: { ...metadata, name, ...(namespace === undefined ? {} : { namespace }) },
    }
    const query = { fieldManager, force: true }
    const contentType = 'application/apply-patch+yaml'
    const request: Request = {
      verb: 'patch',
      method: 'PATCH',
      at,
      query,
      body,
      contentType,
      repeatable: true,
      mute: true,
    }
    await this.#call(request, options)
  }

  /** JSON merge patch (RFC 7386). */
  mergePatch<T extends object = KubeObject>(
    at: Target,
    body: object,
    { fieldManager, ...options }: CallOptions & { readonly fieldManager: string },
  ): Promise<T> {
    const contentType = 'application/merge-patch+json'
    const query = { fieldManager }
    return this.#call({ verb: 'patch', method: 'PATCH', at, query, body, contentType, repeatable: true }, options)
  }

  /**
   * What happens after a resourceVersion, until the server ends it. `opened` is called when the server has agreed.
   * @throws ApiError as other verbs, also for an ERROR inside the stream; `Timeout` when the server seems frozen.
   */
  async *watch(
    at: Collection,
    from: WatchFrom,
    { signal, opened }: { readonly signal: AbortSignal; readonly opened?: () => void },
  ): AsyncGenerator<WatchEvent, void, void> {
    const { resourceVersion, timeoutSeconds, fieldSelector, labelSelector, graceMs } = from
    const query = {
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion,
      timeoutSeconds,
      fieldSelector,
      labelSelector,
    }
    const startMs = this.#clock.now()
    let response: IncomingMessage
    try {
      response = await this.#connection.open({
        method: 'GET',
        path: `${pathOf(at)}${queryOf(query)}`,
        headers: this.#headers(),
        timeoutMs: TIMEOUT_MS,
        signal,
        stream: true,
      })
      if (response.statusCode !== 200) await this.#refuse('watch', at, response, TIMEOUT_MS)
      this.#observe('watch', at, 'OK', startMs)
      opened?.()
      const deadlineMs = timeoutSeconds * 1000 + graceMs
      for await (const event of eventsOf(response, deadlineMs)) {
        if (event.type === 'ERROR') {
          const status: Status = event.object
          throw refusal('watch', at, { status: status.code ?? 500, body: status })
        }
        yield event
      }
    } catch (error) {
      throw this.#failed('watch', at, error, signal, startMs)
    }
  }

  close(): void {
    this.#connection.close()
  }

  async #call<T extends object>(request: Request, options: CallOptions): Promise<T> {
    const signal = options.signal ?? NEVER
    let refreshed = false
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await this.#attempt<T>(request, options)
      } catch (error) {
        if (signal.aborted) throw error
        if (error instanceof ApiError && error.status === 401 && !refreshed) {
          refreshed = true
          this.#connection.expireCredentials()
          continue
        }
        const { repeatable } = request
        const delay = retryDelayMs(error, { attempts, repeatable, random: this.#random() })
        if (delay === undefined || attempts >= (options.attempts ?? ATTEMPTS)) throw error
        await this.#clock.wait(delay, signal)
        signal.throwIfAborted()
      }
    }
  }

  async #attempt<T>(request: Request, options: CallOptions): Promise<T> {
    const { verb, method, at, query, body, contentType, mute } = request
    const { signal, timeoutMs = TIMEOUT_MS } = options
    const startMs = this.#clock.now()
    try {
      const response = await this.#connection.open({
        method,
        path: `${pathOf(at)}${queryOf(query ?? {})}`,
        headers: this.#headers(body === undefined ? undefined : (contentType ?? 'application/json')),
        body: body === undefined ? undefined : JSON.stringify(body),
        timeoutMs,
        signal,
      })
      const status = response.statusCode ?? 0
      if (status < 200 || status > 299) await this.#refuse(verb, at, response, timeoutMs)
      const leftMs = Math.max(1, timeoutMs - (this.#clock.now() - startMs))
      if (mute) await drain(response, leftMs)
      const answer = parsed<T>(mute ? '{}' : await textOf(response, leftMs))
      this.#observe(verb, at, 'OK', startMs)
      return answer
    } catch (error) {
      throw this.#failed(verb, at, error, signal, startMs)
    }
  }

  async #refuse(verb: Verb, at: Collection, response: IncomingMessage, timeoutMs: number): Promise<never> {
    const text = await textOf(response, timeoutMs)
    const retryAfter = response.headers['retry-after']
    throw refusal(verb, at, {
      status: response.statusCode ?? 0,
      // Kubernetes sends seconds, never a date.
      retryAfterSeconds: retryAfter !== undefined && /^\d+$/.test(retryAfter) ? Number(retryAfter) : undefined,
      body: statusOf(text),
    })
  }

  /** Counts the failure, and makes an ApiError of it unless the caller himself has ended the call. */
  #failed(verb: Verb, at: Collection, error: unknown, signal: AbortSignal | undefined, startMs: number): unknown {
    if (signal?.aborted === true) return signal.reason
    const problem =
      error instanceof ApiError && error.status !== 0 ? error : failure(verb, at, this.#connection.server.origin, error)
    this.#observe(verb, at, problem.reason, startMs)
    return problem
  }

  #observe(verb: Verb, at: Collection & Partial<Target>, result: string, startMs: number): void {
    this.#options.observe?.({ verb, at, result, milliseconds: this.#clock.now() - startMs })
  }

  #headers(contentType?: string): Record<string, string> {
    return {
      accept: 'application/json',
      'user-agent': this.#options.userAgent,
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
    }
  }
}

function queryOf(query: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  if (given.length === 0) return ''
  return `?${new URLSearchParams(Object.fromEntries(given.map(([key, value]) => [key, String(value)]))).toString()}`
}

/** A Status, whatever stands in front of the API server and answers in its place. */
function statusOf(text: string): Status {
  try {
    const content: unknown = JSON.parse(text)
    if (typeof content === 'object' && content !== null) return content
  } catch {
    // A proxy's page, or `404 page not found`.
  }
  return { message: text.trim().split('\n', 1)[0]?.slice(0, 200) ?? '' }
}

function parsed<T>(text: string): T {
  try {
    return JSON.parse(text)
  } catch {
    // Without the parser's words: they quote the text.
    throw new ApiError('the answer is no whole JSON document', { reason: 'BadAnswer' })
  }
}
