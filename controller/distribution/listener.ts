/**
 * The TLS socket that agents dial. Certificates may change at any time: connections that come later get the new ones,
 * those that stand are left alone.
 *
 * grpc-js would listen itself, but then nothing could cut a connection whose peer has stopped reading, and a handshake
 * might take two minutes.
 */
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { messageOf, type Log } from '../../log/log.ts'
import type { Certificates } from '../tls/certificates.ts'
import { DistributionError } from './distribution-error.ts'

export interface Address {
  readonly host: string
  /** 0: any. */
  readonly port: number
}

const HANDSHAKE_MS = 10_000
/** All agents may dial at once after an outage. */
const BACKLOG = 4096

export class Listener implements AsyncDisposable {
  readonly #server: Server
  /** By ADDRESS:PORT of the peer. */
  readonly #sockets = new Map<string, TLSSocket>()
  readonly #closing = new AbortController()
  readonly port: number

  private constructor(server: Server, sockets: Map<string, TLSSocket>, port: number) {
    this.#server = server
    this.#sockets = sockets
    this.port = port
  }

  /** Hands each connection to `accept` after its handshake. @throws DistributionError */
  static async open(
    address: Address,
    certificates: Certificates,
    accept: (socket: TLSSocket) => void,
    log: Log,
  ): Promise<Listener> {
    const sockets = new Map<string, TLSSocket>()
    const server = createServer({ ...secrets(certificates), ...HANDSHAKE }, (socket) => {
      const peer = peerOf(socket)
      sockets.set(peer, socket)
      socket.once('close', () => sockets.delete(peer))
      // Comes with `close`; that is what is acted upon.
      socket.on('error', () => {})
      accept(socket)
    })
    server.on('tlsClientError', (error, socket) =>
      log.debug('a TLS handshake failed', { peer: socket.remoteAddress, reason: messageOf(error) }),
    )
    const listener = new Listener(server, sockets, await listen(server, address))
    certificates.onChange(() => {
      try {
        server.setSecureContext(secrets(certificates))
      } catch (error) {
        log.error('agents get the old certificate: the new one is of no use', { reason: messageOf(error) })
      }
    }, listener.#closing.signal)
    return listener
  }

  get connections(): number {
    return this.#sockets.size
  }

  /** Cuts the connection of this peer. */
  sever(peer: string): void {
    this.#sockets.get(peer)?.destroy()
  }

  /** Takes no further connections. */
  close(): void {
    this.#closing.abort()
    this.#server.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#server.listening ? new Promise((resolve) => this.#server.once('close', resolve)) : undefined
    this.close()
    for (const socket of this.#sockets.values()) socket.destroy()
    await closed
  }
}

/** As grpc-js says it too (`getPeer`). */
function peerOf(socket: {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}): string {
  return `${socket.remoteAddress}:${socket.remotePort}`
}

const HANDSHAKE = {
  // ALPNProtocols would be copied for each connection into a Buffer of three bytes, which keeps 64 KiB of Node's pool.
  ALPNCallback: ({ protocols }: { readonly protocols: readonly string[] }) =>
    protocols.includes('h2') ? 'h2' : undefined,
  minVersion: 'TLSv1.2',
  handshakeTimeout: HANDSHAKE_MS,
  // Agents in Kubernetes have a token instead; what a certificate is worth is asked afterwards (`socket.authorized`).
  requestCert: true,
  rejectUnauthorized: false,
} as const

const secrets = ({ trusted, serving }: Certificates) => ({ ca: trusted, cert: serving.cert, key: serving.key })

/** The port. A machine without IPv6 has no `::`; there every address of IPv4 is meant. */
async function listen(server: Server, { host, port }: Address): Promise<number> {
  const attempt = (at: string): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: at, port, backlog: BACKLOG }, () => {
        server.off('error', reject)
        resolve()
      })
    })
  try {
    await attempt(host).catch((error: NodeJS.ErrnoException) => {
      if (host !== '::' || (error.code !== 'EAFNOSUPPORT' && error.code !== 'EADDRNOTAVAIL')) throw error
      return attempt('0.0.0.0')
    })
  } catch (cause) {
    throw new DistributionError('ListenFailed', `cannot listen for agents on ${host} port ${port}; see --listen`, {
      cause,
    })
  }
  const bound = server.address()
  return bound !== null && typeof bound === 'object' ? bound.port : port
}
