/** Connections to a server of nothing: each says as much as an agent that comes, and nothing more. */
import { connect as dialHTTP2 } from 'node:http2'
import { connect as dialTLS } from 'node:tls'
import { BARE_PATH, type BareLayer } from './bare-messages.ts'

const AT_ONCE = 16
const [layer, port, ca, count] = process.argv.slice(2) as [BareLayer, string, string, string]
/** With gRPC's prefix: not packed, and its length. */
const HELLO = Buffer.concat([Buffer.from([0, 0, 0, 300 >> 8, 300 & 0xff]), Buffer.alloc(300, 'h')])
/** As long as a projected token is. */
const TOKEN = `Bearer ${'t'.repeat(1100)}`

function talk(): Promise<void> {
  return layer === 'tls' ? talkTLS() : talkHTTP2()
}

async function talkTLS(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const at = { host: '127.0.0.1', port: Number(port), ca, servername: 'bare', ALPNProtocols: ['h2'] }
  const socket = dialTLS(at, () => socket.write(TOKEN))
  socket.on('error', reject).once('data', () => resolve())
  await promise
}

async function talkHTTP2(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const session = dialHTTP2(`https://127.0.0.1:${port}`, { ca, servername: 'bare' })
  session.on('error', reject)
  const grpc = { 'content-type': 'application/grpc', te: 'trailers', authorization: TOKEN }
  const stream = session.request({ ':method': 'POST', ':path': BARE_PATH, ...grpc })
  stream.on('error', reject).once('data', () => resolve())
  stream.write(HELLO)
  await promise
}

let left = Number(count)
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) await talk()
  }),
)
process.on('disconnect', () => process.exit())
process.send?.('all are there')
