/** For tests: an HTTP server on loopback that does to each request what the test says, and remembers what came. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLog, type Log } from '../../log/log.ts'
import type { Cluster } from './kubeconfig.ts'
import type { KubeObject, ResourceType } from './object.ts'

export interface Received {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Handle = (received: Received, response: ServerResponse) => void

export interface LoopbackServer {
  readonly cluster: Cluster
  readonly received: readonly Received[]
  /** What is done to the next requests. */
  handle: Handle
  /** Breaks every connection, as a server that dies. */
  reset(): void
  close(): Promise<void>
}

export async function loopbackServer(handle: Handle): Promise<LoopbackServer> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://loopback')
      const one = {
        method: request.method ?? '',
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      }
      received.push(one)
      loopback.handle(one, response)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const loopback: LoopbackServer = {
    cluster: { server: new URL(`http://127.0.0.1:${port}`), insecure: false, user: {} },
    received,
    handle,
    reset: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return loopback
}

export function json(response: ServerResponse, code: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export function status(
  response: ServerResponse,
  code: number,
  reason: string,
  headers: Record<string, string> = {},
): void {
  json(response, code, { kind: 'Status', code, reason, message: `${reason} on purpose` }, headers)
}

export const leaf: ResourceType = { group: 'test.example', version: 'v1', plural: 'leaves', kind: 'Leaf' }
export const secret: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }

export function object(name: string, resourceVersion: number, more: object = {}): KubeObject {
  return { metadata: { name, uid: `uid-${name}`, resourceVersion: String(resourceVersion) }, ...more }
}

/** Looks again until it is so. @throws with `what` when it is not so after 60 s. */
export async function until(what: string, so: () => boolean): Promise<void> {
  const end = performance.now() + 60_000
  while (!so()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => {
      setTimeout(resolve, 5)
    })
  }
}

/** A log whose lines can be looked at. */
export function memoryLog(level: 'debug' | 'info' = 'info'): Log & { readonly lines: readonly string[] } {
  const lines: string[] = []
  const log = createLog({ level, format: 'kv', write: (line) => lines.push(line), now: () => new Date(0) })
  return { ...log, lines }
}
