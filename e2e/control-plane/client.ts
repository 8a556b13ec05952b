/** What a test does with an API server: the calls of kubectl, over real connections, without nodeleaf's own client. */
import { request as plain } from 'node:http'
import { Agent, request as secure } from 'node:https'
import { createInterface } from 'node:readline'
import { parseAllDocuments } from 'yaml'

export interface Target {
  readonly url: string
  /** PEM. */
  readonly ca?: string | undefined
  readonly token: string
}

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly resourceVersion?: string
    readonly generation?: number
    readonly creationTimestamp?: string
    readonly deletionTimestamp?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly finalizers?: readonly string[]
    readonly managedFields?: readonly {
      readonly manager: string
      readonly operation: string
      readonly fieldsV1: unknown
    }[]
    readonly [field: string]: unknown
  }
  // Tests look into objects by path; what they expect is what they assert.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly [field: string]: any
}

export interface Answer {
  readonly status: number
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
  readonly warnings: readonly string[]
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface CallOptions {
  readonly body?: unknown
  readonly type?: string
  readonly accept?: string
  readonly userAgent?: string
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: KubeObject
}

/** An answer that says no. */
export class Refused extends Error {
  readonly status: number
  readonly body: Answer['body']
  constructor(call: string, answer: Answer) {
    super(`${call}: ${answer.status} ${String(answer.body?.message ?? JSON.stringify(answer.body))}`)
    this.status = answer.status
    this.body = answer.body
  }
}

export class Client implements Disposable {
  readonly target: Target
  readonly #agent: Agent | undefined
  readonly #plurals = new Map<string, { readonly plural: string; readonly namespaced: boolean }>()

  constructor(target: Target) {
    this.target = target
    this.#agent = target.url.startsWith('https:') ? new Agent({ ca: target.ca, keepAlive: true }) : undefined
  }

  [Symbol.dispose](): void {
    this.#agent?.destroy()
  }

  /** The answer, whatever it says. */
  async call(method: string, path: string, options: CallOptions = {}, token = this.target.token): Promise<Answer> {
    const { incoming, text } = await this.#open(method, path, options, token, AbortSignal.timeout(60_000))
    const body = await text()
    const { headers, statusCode: status = 0, headersDistinct } = incoming
    const warnings = (headersDistinct['warning'] ?? []).flatMap(warningTexts)
    return { status, body: headers['content-type']?.includes('json') ? JSON.parse(body) : body, warnings, headers }
  }

  /** What a good answer holds. @throws Refused */
  async ask(method: string, path: string, options: CallOptions = {}): Promise<KubeObject> {
    const answer = await this.call(method, path, options)
    if (answer.status >= 400) throw new Refused(`${method} ${path}`, answer)
    return answer.body
  }

  /** The lines of a watch, until it ends or the signal aborts. */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const { incoming, text } = await this.#open(
      'GET',
      `${path}${path.includes('?') ? '&' : '?'}watch=1`,
      {},
      this.target.token,
      signal,
    )
    if (incoming.statusCode !== 200)
      throw new Refused(`watch ${path}`, {
        status: incoming.statusCode ?? 0,
        body: JSON.parse(await text()),
        warnings: [],
        headers: {},
      })
    // Whoever leaves the loop ends the watch.
    incoming.on('error', () => incoming.destroy())
    try {
      for await (const line of createInterface(incoming)) yield JSON.parse(line) as WatchEvent
    } finally {
      incoming.destroy()
    }
  }

  /** Server-side apply of YAML, or of objects. @throws Refused */
  async apply(
    what: string | KubeObject | readonly KubeObject[],
    query = 'fieldManager=kubectl&force=true',
  ): Promise<KubeObject[]> {
    const applied: KubeObject[] = []
    for (const object of objectsOf(what)) applied.push(await this.applyOne(object, query))
    return applied
  }

  async applyOne(object: KubeObject, query: string, subresource = ''): Promise<KubeObject> {
    const path = `${await this.pathOf(object)}${subresource}?${query}`
    return this.ask('PATCH', path, { body: object, type: 'application/apply-patch+yaml' })
  }

  /** `/apis/nodeleaf.io/v1alpha1/l3vnis/red`, from what the server says of the kind. */
  async pathOf({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): Promise<string> {
    const root = `/${apiVersion.includes('/') ? 'apis' : 'api'}/${apiVersion}`
    const known = this.#plurals.get(`${apiVersion}/${kind}`) ?? (await this.#discover(root, apiVersion, kind))
    const scope = known.namespaced ? `/namespaces/${namespace ?? 'default'}` : ''
    return `${root}${scope}/${known.plural}/${name}`
  }

  async #discover(root: string, apiVersion: string, kind: string) {
    const { resources } = await this.ask('GET', root)
    const found = (resources as { name: string; kind: string; namespaced: boolean }[]).find(
      (each) => each.kind === kind && !each.name.includes('/'),
    )
    if (!found) throw new Error(`${apiVersion} has no ${kind}`)
    const known = { plural: found.name, namespaced: found.namespaced }
    this.#plurals.set(`${apiVersion}/${kind}`, known)
    return known
  }

  async #open(
    method: string,
    path: string,
    { body, type, accept, userAgent }: CallOptions,
    token: string,
    signal: AbortSignal,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<import('node:http').IncomingMessage>()
    const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const headers = {
      authorization: `Bearer ${token}`,
      accept: accept ?? 'application/json',
      'user-agent': userAgent ?? 'control-plane-test/1',
      ...(content === undefined
        ? {}
        : { 'content-type': type ?? 'application/json', 'content-length': Buffer.byteLength(content) }),
    }
    const send = this.#agent ? secure : plain
    const sent = send(
      new URL(path, this.target.url),
      { method, headers, signal, ...(this.#agent && { agent: this.#agent }) },
      resolve,
    )
    sent.on('error', reject)
    sent.end(content)
    const incoming = await promise
    const text = async (): Promise<string> => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks).toString()
    }
    return { incoming, text }
  }
}

function objectsOf(what: string | KubeObject | readonly KubeObject[]): readonly KubeObject[] {
  if (typeof what !== 'string') return Array.isArray(what) ? what : [what as KubeObject]
  return parseAllDocuments(what)
    .map((each) => each.toJS() as KubeObject | null)
    .filter((each) => each !== null)
}

/** `299 - "text"`, several of them in one header (RFC 7234 section 5.5). */
const warningTexts = (header: string): string[] =>
  [...header.matchAll(/299 \S+ ("(?:[^"\\]|\\.)*")/g)].map(([, quoted = '""']) => JSON.parse(quoted) as string)
