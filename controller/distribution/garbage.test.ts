import { create } from '@bufbuild/protobuf'
import { setLogger, status } from '@grpc/grpc-js'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from 'node:crypto'
import { connect as dialHTTP2, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import { connect as dialTCP } from 'node:net'
import { connect as dialTLS, type TLSSocket } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { AgentMessageSchema, DetailSchema } from '../../api/wire/generated/distribution_pb.ts'
import { connect } from '../../api/wire/service.ts'
import { stage, until, type Stage } from './stage.ts'

const ROUNDS = 40

/** Whatever happened before, a good agent is served. */
async function stillServes(t: ExecutionContext, { dial, events }: Pick<Stage, 'dial' | 'events'>): Promise<void> {
  dial('good')
  await until(() => events.includes('connected good'), 'a good agent is served')
  t.pass()
}

function dialled({ distribution, authority }: Stage): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const options = { ca: authority.cert, servername: 'nodeleaf-controller', ALPNProtocols: ['h2'] }
  const socket = dialTLS({ host: '127.0.0.1', port: distribution.port, ...options }, () => resolve(socket))
  socket.on('error', reject)
  return promise
}

async function session(at: Stage): Promise<ClientHttp2Session> {
  const socket = await dialled(at)
  const made = dialHTTP2('https://nodeleaf-controller', { createConnection: () => socket })
  made.on('error', () => {})
  return made
}

/** gRPC's frame: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
function frame(body: Buffer, { compressed = false, length = body.length } = {}): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(compressed ? 1 : 0)
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, body])
}

/** Sends bytes as a stream, and gives the gRPC status that it ended with; undefined: without one. */
async function streamed(
  http2: ClientHttp2Session,
  bytes: readonly Buffer[],
  headers = {},
): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let ended: number | undefined
  const note = (fields: IncomingHttpHeaders): void => {
    if (fields['grpc-status'] !== undefined) ended = Number(fields['grpc-status'])
  }
  const stream = http2.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: connect.path,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: 'Bearer node/bad',
    ...headers,
  })
  stream
    .on('response', note)
    .on('trailers', note)
    .on('error', () => {})
    .on('close', resolve)
    .resume()
  for (const each of bytes) stream.write(each)
  stream.end()
  await promise
  return ended
}

test('bytes that are no TLS, or TLS and no HTTP/2, do not bring the controller down', async (t) => {
  const at = await stage(t)
  for (let round = 0; round < ROUNDS; round++) {
    const { promise, resolve } = Promise.withResolvers<void>()
    const socket = dialTCP({ host: '127.0.0.1', port: at.distribution.port }, () =>
      socket.end(randomBytes(1 + round * 50)),
    )
    socket.on('error', () => {}).on('close', () => resolve())
    socket.resume()
    await promise
  }
  for (let round = 0; round < ROUNDS; round++) {
    const socket = await dialled(at)
    const { promise, resolve } = Promise.withResolvers<void>()
    socket.on('error', () => {}).on('close', () => resolve())
    const preface = round % 2 === 0 ? [] : [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')]
    // Half of the rounds: SETTINGS first, so that what follows is read as frames.
    const settings = round % 4 === 1 ? [Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])] : []
    socket.end(Buffer.concat([...preface, ...settings, randomBytes(1 + round * 50)]))
    socket.resume()
    await promise
  }
  await stillServes(t, at)
})

test('a message that cannot be read ends its stream and nothing else', async (t) => {
  const printed: string[] = []
  setLogger({ error: (line: string) => printed.push(line) })
  const at = await stage(t)
  const http2 = await session(at)
  t.teardown(() => http2.destroy())
  const good = connect.requestSerialize(create(AgentMessageSchema))
  const bad: readonly (readonly Buffer[])[] = [
    [frame(randomBytes(64))],
    [frame(good), frame(randomBytes(64))],
    [frame(good, { length: 2 ** 32 - 1 })],
    [frame(good, { length: 5 << 20 }), randomBytes(5 << 20)],
    [frame(good, { length: 10 })],
    [randomBytes(3)],
    [frame(good, { compressed: true })],
    [Buffer.from([9, 0, 0, 0, 0])],
  ]
  for (const bytes of bad) await streamed(http2, bytes)
  await streamed(http2, [frame(good)], { [constants.HTTP2_HEADER_PATH]: '/nobody/knows' })
  await streamed(http2, [frame(good)], { authorization: 'Basic \u00ff' })
  await streamed(http2, [frame(good)], { 'grpc-timeout': 'never', 'grpc-encoding': 'nonsense' })
  await stillServes(t, at)
  t.deepEqual(printed, [], 'what strangers send is not printed')
})

test('what unpacks to more than a message may have is refused, not unpacked', async (t) => {
  const at = await stage(t)
  const http2 = await session(at)
  t.teardown(() => http2.destroy())
  const bomb = gzipSync(Buffer.alloc(64 << 20))
  const ended = await streamed(http2, [frame(bomb, { compressed: true })], { 'grpc-encoding': 'gzip' })
  t.is(ended, status.RESOURCE_EXHAUSTED)
  await stillServes(t, at)
})

test('an agent that sends huge details over and over is read ever more slowly', async (t) => {
  const at = await stage(t)
  const agent = at.dial('huge')
  const vnis = Array.from({ length: 100_000 }, (_, vni) => ({ vni, type: 'L2', state: 'Up' }))
  for (let version = 1n; version <= 20n; version++)
    agent.send({ case: 'detail', value: create(DetailSchema, { version, vnis }) })
  const detailed = (): number => at.events.filter((each) => each.startsWith('detailed')).length
  await until(() => detailed() >= 2, 'two of them')
  const [before, start] = [detailed(), performance.now()]
  await stillServes(t, at)
  await until(() => performance.now() - start > 2000, 'two seconds')
  t.true(detailed() - before <= 4, `${detailed() - before} in two seconds`)
})

test('an observer that fails at what an agent says ends the stream of that agent only', async (t) => {
  const fails = (): never => {
    throw new RangeError('Invalid time value')
  }
  const events: string[] = []
  const nothing = (): void => {}
  const observer = {
    connected: (node: string) => void events.push(`connected ${node}`),
    disconnected: nothing,
    acknowledged: nothing,
    reported: nothing,
    detailed: fails,
  }
  const at = await stage(t, { observer })
  const bad = at.dial('bad')
  bad.send({ case: 'detail', value: create(DetailSchema) })
  t.is((await bad.ended).details, "the controller failed; the controller's log says more")
  await stillServes(t, { ...at, events })
  t.true(at.log.some((line) => line.includes('a stream fails') && line.includes('Invalid time value')))
})
