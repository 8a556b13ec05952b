/** /metrics, /healthz and /readyz over plain HTTP: what anybody in the cluster may read. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Endpoint } from '../flags/flags.ts'

export interface Health {
  readonly ready: boolean
  readonly message: string
}

export interface HealthOptions {
  readonly endpoint: Endpoint
  /** Prometheus' text format. */
  readonly metrics: () => Promise<string>
  readonly health: () => Health
}

export class HealthServerError extends Error {
  readonly code = 'LISTEN'
}

/** Serves until disposal. @throws HealthServerError */
export async function serveHealth(options: HealthOptions): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((request, response) => {
    request.resume()
    const asked = `${request.method} ${(request.url ?? '').split('?')[0]}`
    route(options, asked, response).catch(() => answer(response, 500, 'the metrics cannot be collected\n'))
  })
  await listening(server, options.endpoint)
  const bound = server.address()
  return {
    port: bound !== null && typeof bound === 'object' ? bound.port : options.endpoint.port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function route({ metrics, health }: HealthOptions, asked: string, response: ServerResponse): Promise<void> {
  switch (asked) {
    case 'GET /healthz':
      return answer(response, 200, 'alive\n')
    case 'GET /readyz': {
      const { ready, message } = health()
      return answer(response, ready ? 200 : 503, `${message}\n`)
    }
    case 'GET /metrics':
      return answer(response, 200, await metrics(), 'text/plain; version=0.0.4')
    default:
      return answer(response, 404, 'not found\n')
  }
}

function answer(response: ServerResponse, status: number, body: string, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type, connection: 'close' }).end(body)
}

/** A machine without IPv6 has no `::`; there every address of IPv4 is meant. */
async function listening(server: Server, { address, port }: Endpoint): Promise<void> {
  const attempt = (host: string): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
    return promise
  }
  const host = address === '' ? '::' : address
  try {
    await attempt(host).catch((error: NodeJS.ErrnoException) => {
      if (host !== '::' || (error.code !== 'EAFNOSUPPORT' && error.code !== 'EADDRNOTAVAIL')) throw error
      return attempt('0.0.0.0')
    })
  } catch (cause) {
    throw new HealthServerError(`cannot listen on ${host} port ${port}; see --metrics`, { cause })
  }
}
