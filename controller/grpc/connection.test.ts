import { Client, credentials, type ClientDuplexStream, type StatusObject } from '@grpc/grpc-js'
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import { connect as dialHTTP2, type ClientHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { connect as dialTLS, createServer } from 'node:tls'
import { createAuthority, issueServing } from '../tls/authority.ts'
import { framed, type Call } from './call.ts'
import { serve, type Pace } from './connection.ts'
import { status } from './status.ts'

const PATH = '/test.Echo/Talk'
const HOUR_MS = 3_600_000

interface Served {
  readonly port: number
  readonly ca: string
  dial(path?: string): ClientDuplexStream<Buffer, Buffer>
}

/** A server on loopback, and grpc-js to dial it. */
async function served(t: ExecutionContext, called: (call: Call) => void, pace?: Pace): Promise<Served> {
  const authority = await createAuthority(Date.now(), HOUR_MS)
  const { cert, key } = await issueServing(authority, { dns: ['localhost'], addresses: [] }, Date.now(), HOUR_MS)
  const server = createServer({ cert, key, ALPNProtocols: ['h2'] }, (socket) => {
    socket.on('error', () => {})
    serve(socket, { path: PATH, called }, pace)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const clients: Client[] = []
  t.teardown(() => {
    for (const client of clients) client.close()
    server.close()
  })
  const same = (bytes: Buffer): Buffer => bytes
  return {
    port,
    ca: authority.cert,
    dial(path = PATH) {
      const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(authority.cert)), {
        'grpc.ssl_target_name_override': 'localhost',
        'grpc.use_local_subchannel_pool': 1,
        'grpc.max_receive_message_length': -1,
      })
      clients.push(client)
      const call = client.makeBidiStreamRequest(path, same, same)
      call.on('error', () => {})
      return call
    },
  }
}

function ended(call: ClientDuplexStream<Buffer, Buffer>): Promise<StatusObject> {
  call.resume()
  return new Promise((resolve) => call.once('status', resolve))
}

test('messages of any size come whole and in order, both ways', async (t) => {
  const sizes = [0, 1, 8191, 8192, 70_000, 3_000_000, 5]
  const { dial } = await served(t, (call) => call.listen((message) => call.write(framed(message))))
  const call = dial()
  const back: Buffer[] = []
  call.on('data', (message: Buffer) => {
    back.push(message)
    if (back.length === sizes.length) call.end()
  })
  for (const size of sizes) call.write(Buffer.alloc(size, size % 251))
  const { code } = await new Promise<StatusObject>((resolve) => call.once('status', resolve))
  t.is(code, status.OK)
  t.deepEqual(
    back.map((each) => each.length),
    sizes,
  )
  t.true(back.every((each, at) => each.equals(Buffer.alloc(sizes[at] ?? 0, (sizes[at] ?? 0) % 251))))
})

test('while it is paused nothing is handed out, and afterwards everything', async (t) => {
  const got: number[] = []
  const { promise, resolve } = Promise.withResolvers<Call>()
  const { dial } = await served(t, (call) => {
    call.listen((message) => {
      got.push(message[0] ?? 0)
      if (got.length === 2) {
        call.pause()
        resolve(call)
      }
      if (got.length === 5) call.end({ code: status.ABORTED, details: 'that is all' })
    })
  })
  const call = dial()
  for (let at = 1; at <= 6; at++) call.write(Buffer.from([at]))
  const paused = await promise
  t.deepEqual(got, [1, 2])
  paused.resume()
  t.is((await ended(call)).code, status.ABORTED)
  t.deepEqual(got, [1, 2, 3, 4, 5])
})

test('a status comes with its words and trailers, with an answer before it and without', async (t) => {
  let answers = false
  const { dial } = await served(t, (call) => {
    if (answers) call.write(framed(Buffer.from('first')))
    call.end({ code: status.UNAVAILABLE, details: 'not here: 100 % élan', trailers: { leader: '192.0.2.7:1' } })
    call.end({ code: status.INTERNAL, details: 'once is enough' })
    call.write(framed(Buffer.from('too late')), (error) => t.truthy(error))
  })
  for (answers of [false, true]) {
    const { code, details, metadata } = await ended(dial())
    t.deepEqual([code, details, metadata.get('leader')], [14, 'not here: 100 % élan', ['192.0.2.7:1']])
  }
  t.plan(4)
})

test('whoever waits for the end of a stream is told of it once, also when it has ended long ago', async (t) => {
  let told = 0
  const called = Promise.withResolvers<void>()
  const { promise, resolve } = Promise.withResolvers<Call>()
  const { dial } = await served(t, (call) => {
    call.onGone(() => {
      told++
      resolve(call)
    })
    called.resolve()
  })
  const call = dial()
  call.write(Buffer.alloc(1))
  await called.promise
  call.cancel()
  const gone = await promise
  t.true(gone.gone && gone.ended)
  await new Promise<void>((again) => gone.onGone(again))
  t.is(told, 1)
})

test('another method is not there, and what is no gRPC is told so', async (t) => {
  const at = await served(t, () => t.fail('called'))
  t.is((await ended(at.dial('/test.Echo/Other'))).code, status.UNIMPLEMENTED)
  const http2 = await session(t, at)
  const stream = http2.request({ ':method': 'GET', ':path': PATH })
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  t.is(headers[':status'], 415)
})

test('windows are small, and no table of headers is kept', async (t) => {
  const http2 = await session(t, await served(t, () => {}))
  t.is(http2.remoteSettings.initialWindowSize, 8192)
  t.is(http2.remoteSettings.headerTableSize, 0)
})

test('a peer that has no stream is asked to go, and one that answers no ping is cut off', async (t) => {
  const idle = await session(t, await served(t, () => {}, { ping: 50, pong: 10_000, idle: 200 }))
  await once(idle, 'close')
  const { port, ca } = await served(t, () => {}, { ping: 50, pong: 200, idle: 60_000 })
  // It says nothing after the preface, not even to a ping.
  const silent = dialTLS({ host: '127.0.0.1', port, ca, servername: 'localhost', ALPNProtocols: ['h2'] })
  silent.on('error', () => {}).resume()
  silent.write(
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]),
  )
  const cut = once(silent, 'close')
  await cut
  t.pass()
})

test('connections that end at any moment, while they are pinged, end alone', async (t) => {
  const at = await served(t, (call) => call.listen(() => {}), { ping: 1, pong: 1000, idle: 60_000 })
  for (let round = 0; round < 30; round++) {
    const http2 = await session(t, at)
    http2.on('error', () => {})
    const stream = http2.request({ ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc' })
    stream.on('error', () => {})
    if (round % 3 === 0) stream.close()
    await new Promise((resolve) => setTimeout(resolve, round % 7))
    if (round % 2 === 0) http2.destroy()
    else http2.socket.destroy()
  }
  await session(t, at)
  t.pass()
})

async function session(t: ExecutionContext, { port, ca }: Served): Promise<ClientHttp2Session> {
  const http2 = dialHTTP2(`https://127.0.0.1:${port}`, { ca, servername: 'localhost' })
  t.teardown(() => http2.destroy())
  await once(http2, 'remoteSettings')
  return http2
}
