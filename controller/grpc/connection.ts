/**
 * Serves calls on a connection whose TLS handshake is over: each stream for the method is a Call, everything else is
 * refused. A peer that does not answer pings is cut off, and one that has no stream for a while.
 */
import {
  constants,
  performServerHandshake,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { Call, type Peer } from './call.ts'
import { status } from './status.ts'

export interface Service {
  /** `/package.Service/Method` */
  readonly path: string
  readonly called: (call: Call) => void
}

/** Milliseconds. */
export interface Pace {
  readonly ping: number
  /** For the answer to a ping. */
  readonly pong: number
  /** Without a stream. */
  readonly idle: number
}

const PACE: Pace = { ping: 10_000, pong: 3000, idle: 60_000 }

/**
 * An agent has one stream. Small windows keep what one sends at once small, as buffers stay as large as they once had to
 * be; without tables of headers there is none to keep for headers that come once.
 */
const OPTIONS = {
  settings: { maxConcurrentStreams: 16, initialWindowSize: 8 * 1024, headerTableSize: 0, enablePush: false },
  maxDeflateDynamicTableSize: 0,
} as const

/** Ends with the socket. */
export function serve(socket: TLSSocket, service: Service, pace: Pace = PACE): void {
  if (socket.alpnProtocol !== 'h2') return void socket.destroy()
  const session = performServerHandshake(socket, OPTIONS)
  const peer: Peer = {
    address: peerOf(socket),
    certificate: () => (socket.authorized && !socket.destroyed ? socket.getPeerCertificate().raw : undefined),
  }
  const stop = keepAlive(session, socket, pace)
  let streams = 0
  const idle = setTimeout(() => session.close(), pace.idle).unref()
  session.on('error', () => {})
  session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    if (stream.destroyed) return
    streams++
    clearTimeout(idle)
    stream.once('close', () => {
      if (--streams === 0 && !session.destroyed) idle.refresh()
    })
    answer(stream, headers, peer, service)
  })
  session.once('close', () => {
    clearTimeout(idle)
    stop()
  })
}

/** As in logs. */
export function peerOf(socket: {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}): string {
  return `${socket.remoteAddress}:${socket.remotePort}`
}

function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: Peer, service: Service): void {
  const type = headers['content-type'] ?? ''
  if (headers[constants.HTTP2_HEADER_METHOD] !== 'POST' || !/^application\/grpc([+;]|$)/.test(type)) {
    stream.on('error', () => {})
    stream.respond({ [constants.HTTP2_HEADER_STATUS]: 415 }, { endStream: true })
    return
  }
  const call = new Call(stream, headers, peer)
  if (headers[constants.HTTP2_HEADER_PATH] === service.path) service.called(call)
  else call.end({ code: status.UNIMPLEMENTED, details: `there is no such method; it is ${service.path}` })
}

/** Pings one after the other. Returns what ends it. */
function keepAlive(session: ServerHttp2Session, socket: TLSSocket, pace: Pace): () => void {
  const cut = (): void => void socket.destroy()
  let timer: NodeJS.Timeout
  const ping = (): void => {
    // Its end is told later than it comes.
    if (session.destroyed) return
    timer = setTimeout(cut, pace.pong)
    const sent = session.ping((error) => {
      clearTimeout(timer)
      if (error) cut()
      else if (!session.destroyed) timer = setTimeout(ping, pace.ping)
    })
    if (!sent) cut()
  }
  timer = setTimeout(ping, pace.ping)
  return () => clearTimeout(timer)
}
