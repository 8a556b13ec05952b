/**
 * A server of nothing: takes connections, answers the first message of each, and keeps them. What a connection costs in
 * it is what no program on this transport can go below.
 */
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { createSecureServer } from 'node:http2'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { createServer } from 'node:tls'
import { Listener } from '../../controller/distribution/listener.ts'
import { createAuthority, issueServing } from '../../controller/tls/authority.ts'
import { createLog } from '../../log/log.ts'
import { ANSWER, BARE_PATH, type BareLayer, type BareLook } from './bare-messages.ts'

const HOUR_MS = 3_600_000
const authority = await createAuthority(Date.now(), HOUR_MS)
const serving = await issueServing(authority, { dns: ['bare'], addresses: [] }, Date.now(), HOUR_MS)
const tls = { cert: serving.cert, key: serving.key, ALPNProtocols: ['h2'] }
let connections = 0

const LAYERS: Readonly<Record<BareLayer, () => Promise<number>>> = {
  tls: () =>
    listening(
      createServer(tls, (socket) => {
        connections++
        socket.on('error', () => {}).resume()
        socket.write(ANSWER)
      }),
    ),
  http2: () =>
    listening(
      createSecureServer(tls).on('stream', (stream) => {
        connections++
        stream.on('error', () => {}).resume()
        stream.respond({ ':status': 200 })
        stream.write(ANSWER)
      }),
    ),
  'grpc-js': async () => {
    const server = new Server({ 'grpc.enable_channelz': 0, 'grpc.keepalive_time_ms': 10_000 })
    const same = (bytes: Buffer): Buffer => bytes
    const method = { path: BARE_PATH, requestStream: true, responseStream: true } as const
    const codec = {
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    }
    const called = (call: ServerDuplexStream<Buffer, Buffer>): void => {
      connections++
      call.on('data', () => {}).on('error', () => {})
      call.write(ANSWER)
    }
    server.addService({ bare: { ...method, ...codec } }, { bare: called })
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
    const log = createLog({ level: 'error', format: 'kv', write: () => {}, now: () => new Date() })
    const certificates = { trusted: authority.cert, serving, onChange: () => {} }
    const accept = injector.injectConnection.bind(injector)
    return (await Listener.open({ host: '127.0.0.1', port: 0 }, certificates, accept, log)).port
  },
}

function listening(server: NetServer): Promise<number> {
  return new Promise((resolve) =>
    server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => resolve((server.address() as AddressInfo).port)),
  )
}

const port = await LAYERS[process.argv[2] as BareLayer]()
process.on('message', () => {
  globalThis.gc?.()
  process.send?.({ connections } satisfies BareLook)
})
process.on('disconnect', () => process.exit())
process.send?.({ port, ca: authority.cert })
