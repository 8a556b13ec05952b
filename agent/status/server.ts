/**
 * The agent's two listeners. The unix socket, for root on this node: status, reconcile, stop. The TCP one, for probes
 * and Prometheus: health and metrics only, nothing that changes anything. Metrics name resources and neighbours: who may
 * not know these must not reach the port.
 */
import type { Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { PassReport } from '../reconciler.ts'
import type { StatusDocument } from './document.ts'

/** An import of it would read all that it exports, WebSocket among it, and so load an HTTP client that nobody needs. */
const { createServer } = process.getBuiltinModule('node:http')

export interface Health {
  /** A pass was made, and nothing is wrong with the node as a whole. A failed resource does not count. */
  readonly ready: boolean
  readonly message: string
}

export interface Served {
  readonly status: () => Promise<StatusDocument>
  readonly health: () => Health
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<string>
  /** Asks for a pass that retries what has failed; resolves when it is over. */
  readonly reconcile: () => Promise<PassReport | undefined>
  readonly stop: () => void
}

export class ServerError extends Error {
  readonly code: 'RUNNING' | 'LISTEN'
  constructor(code: ServerError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export function socketPath(runDir: string): string {
  return join(runDir, 'agent.sock')
}

/** Listens on the socket in `runDir`. @throws ServerError RUNNING when another agent answers there */
export async function serveSocket(runDir: string, served: Served): Promise<Server> {
  // FRR, under its own user, goes through it to its configuration.
  mkdirSync(runDir, { recursive: true, mode: 0o711 })
  const path = socketPath(runDir)
  if (await answers(path))
    throw new ServerError('RUNNING', `another agent serves ${path}: stop it, or give another --run-dir`)
  rmSync(path, { force: true })
  // The socket is made in the call: from its first moment only its owner may connect.
  const umask = process.umask(0o177)
  const server = listening(routes(served, true), { path })
  process.umask(umask)
  return await server
}

/** @throws ServerError LISTEN */
export function serveHealth(endpoint: { address: string; port: number }, served: Served): Promise<Server> {
  const { address, port } = endpoint
  return listening(routes(served, false), { port, ...(address === '' ? {} : { host: address }) })
}

function listening(server: Server, where: { path?: string; host?: string; port?: number }): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>()
  server.once('error', (cause) => {
    const name = where.path ?? `${where.host ?? ''}:${where.port}`
    reject(new ServerError('LISTEN', `cannot listen on ${name}`, { cause }))
  })
  server.listen(where, () => resolve(server))
  return promise
}

/** Whether somebody listens on a unix socket. */
export function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(path)
  socket.once('connect', () => {
    socket.destroy()
    resolve(true)
  })
  socket.once('error', () => resolve(false))
  return promise
}

function routes(served: Served, local: boolean): Server {
  return createServer((request, response) => {
    const { method, url } = request
    request.resume()
    route(served, local, `${method} ${(url ?? '').split('?')[0]}`, response).catch((error: unknown) => {
      answer(response, 500, 'text/plain', `${error instanceof Error ? error.message : String(error)}\n`)
    })
  })
}

async function route(served: Served, local: boolean, asked: string, response: ServerResponse): Promise<void> {
  switch (asked) {
    case 'GET /healthz':
      return answer(response, 200, 'text/plain', 'alive\n')
    case 'GET /readyz': {
      const { ready, message } = served.health()
      return answer(response, ready ? 200 : 503, 'text/plain', `${message}\n`)
    }
    case 'GET /metrics':
      return answer(response, 200, 'text/plain; version=0.0.4', await served.metrics())
  }
  if (local) {
    switch (asked) {
      case 'GET /status':
        return json(response, await served.status())
      case 'POST /reconcile':
        return json(response, (await served.reconcile()) ?? {})
      case 'POST /stop':
        answer(response, 202, 'text/plain', 'stopping\n')
        return served.stop()
    }
  }
  answer(response, 404, 'text/plain', 'not found\n')
}

function json(response: ServerResponse, value: unknown): void {
  answer(response, 200, 'application/json', `${JSON.stringify(value)}\n`)
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, connection: 'close' }).end(body)
}
