import { status } from '@grpc/grpc-js'
import test, { type ExecutionContext } from 'ava'
import { writeFileSync } from 'node:fs'
import { connect as tcpConnect, createServer, type Server, type Socket } from 'node:net'
import { createLog } from '../../log/log.ts'
import type { ControllerOptions } from '../options.ts'
import { addressesOf, targetOf, targetText, type Target } from './controller-dial.ts'
import { ControllerSource, redialMs } from './controller-source.ts'
import type { Conversation, Sender } from './controller-stream.ts'
import { FakeController, type FakeStream } from '../../e2e/peers/fake-controller.ts'
import { makePki } from '../../e2e/peers/pki.ts'

const pki = await makePki(['controller.example', '127.0.0.1'])

async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const end = performance.now() + 60_000
  for (;;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`${what}: not within 60 s`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

interface Setup {
  readonly options?: Partial<ControllerOptions>
  readonly addresses?: (target: Target) => readonly Target[]
  readonly conversation?: Partial<Conversation>
}

/** An agent's end, whose pauses between rounds are noted and not made. */
function agent(t: ExecutionContext, port: number, { options, addresses, conversation }: Setup = {}) {
  const lines: string[] = []
  const pauses: number[] = []
  const senders: Sender[] = []
  const said: string[] = []
  const stop = new AbortController()
  const source = new ControllerSource({
    options: {
      host: '127.0.0.1',
      port,
      ca: pki.files.ca,
      name: 'controller.example',
      proof: { tokenFile: pki.files.token },
      ...options,
    },
    log: createLog({ level: 'debug', format: 'kv', now: () => new Date(0), write: (line) => lines.push(line) }),
    clock: { now: Date.now, random: () => 0.5 },
    conversation: {
      hello: () => ({ node: 'n1', revision: 'r0' }),
      begun: () => said.push('begun'),
      update: ({ revision }) => ({ revision }),
      welcome: (sender) => {
        senders.push(sender)
        said.push('welcome')
      },
      detailRequested: () => said.push('detailRequested'),
      drained: () => said.push('drained'),
      ended: () => said.push('ended'),
      ...conversation,
    },
    effects: {
      pause: async (ms) => {
        pauses.push(ms)
        await new Promise((resolve) => setTimeout(resolve, 5))
      },
      ...(addresses === undefined ? {} : { addressesOf: async (target) => addresses(target) }),
    },
  })
  const running = source.run(stop.signal)
  t.teardown(async () => {
    stop.abort()
    await running
  })
  return { source, lines, pauses, senders, said, stop, running }
}

async function start(
  t: ExecutionContext,
  opened: (stream: FakeStream) => void,
  mutual = false,
): Promise<FakeController> {
  const fake = await FakeController.start(pki, opened, mutual)
  t.teardown(() => fake.stop())
  return fake
}
const welcoming = (stream: FakeStream): void => stream.welcome()
const connected = (source: ControllerSource) => until('connected', () => source.connection.state === 'connected')

test('the agent says hello with its token, is welcome, acknowledges and reports', async (t) => {
  const fake = await start(t, welcoming)
  const { source, senders, said } = agent(t, fake.port)
  await connected(source)
  const [stream] = fake.streams
  if (stream === undefined) return t.fail()
  t.is(stream.token, 'Bearer token-1')
  t.like(stream.all('hello')[0], { node: 'n1', revision: 'r0' })
  stream.send({ case: 'plan', value: { revision: 'r1' } })
  stream.send({ case: 'detailRequest', value: {} })
  senders[0]?.report({ applied: 'r0' })
  await until('report', () => stream.all('report')[0])
  t.is((await until('acknowledgement', () => stream.all('acknowledgement')[0])).revision, 'r1')
  t.deepEqual(said, ['begun', 'welcome', 'detailRequested'])
  t.is(source.connection.replica, 'fake')
  t.true(senders[0]?.ready())
})

test('the token is read again at each dial', async (t) => {
  const { files } = await makePki(['x'])
  const fake = await start(t, welcoming)
  const { source } = agent(t, fake.port, { options: { proof: { tokenFile: files.token } } })
  await connected(source)
  writeFileSync(files.token, 'token-2')
  fake.streams[0]?.fail(status.UNAVAILABLE, 'restart')
  t.is((await until('a second stream', () => fake.streams[1])).token, 'Bearer token-2')
})

test('the authorities are read again at each dial', async (t) => {
  const other = await makePki(['x'])
  const fake = await start(t, welcoming)
  const { source } = agent(t, fake.port, { options: { ca: other.files.ca } })
  const { lastError } = await until('refused by TLS', () => source.connection.state === 'away' && source.connection)
  t.regex(lastError ?? '', /certificate/)
  t.is(fake.streams.length, 0)
  writeFileSync(other.files.ca, pki.ca.certificate)
  await connected(source)
  t.pass()
})

test('a certificate of another name is not believed', async (t) => {
  const fake = await start(t, welcoming)
  const { source } = agent(t, fake.port, { options: { name: 'somebody.else' } })
  const { lastError } = await until('refused by TLS', () => source.connection.state === 'away' && source.connection)
  t.regex(lastError ?? '', /somebody\.else|altnames/)
  t.is(fake.streams.length, 0)
})

test('the name may be an address', async (t) => {
  const fake = await start(t, welcoming)
  const { source } = agent(t, fake.port, { options: { name: '127.0.0.1' } })
  await connected(source)
  t.pass()
})

test('a certificate of another address is not believed', async (t) => {
  const fake = await start(t, welcoming)
  const { source } = agent(t, fake.port, { options: { name: '127.0.0.2' } })
  const { lastError } = await until('refused by TLS', () => source.connection.state === 'away' && source.connection)
  t.regex(lastError ?? '', /127\.0\.0\.2|altnames/)
  t.is(fake.streams.length, 0)
})

test('a client certificate proves the node where there are no tokens', async (t) => {
  const fake = await start(t, welcoming, true)
  const { source } = agent(t, fake.port, { options: { proof: { certFile: pki.files.cert, keyFile: pki.files.key } } })
  await connected(source)
  t.is(fake.streams[0]?.token, undefined)
  t.true((fake.streams[0]?.certificate?.length ?? 0) > 0)
  t.true((source.connection.certificateEnds ?? 0) > Date.now())
})

for (const [what, options, said] of [
  ['token', { proof: { tokenFile: '/nowhere/token' } }, /--token-file \/nowhere\/token/],
  ['authority', { ca: '/nowhere/ca' }, /--controller-ca \/nowhere\/ca/],
  ['key', { proof: { certFile: pki.files.cert, keyFile: pki.files.ca } }, /go together/],
] as const) {
  test(`a ${what} that cannot be used is told, and tried again`, async (t) => {
    const { source, pauses, lines } = agent(t, 1, { options })
    await until('three rounds', () => pauses.length >= 3)
    t.regex(source.connection.lastError ?? '', said)
    t.is(lines.filter((line) => line.includes('no controller')).length, 1, 'said once')
  })
}

test('a controller that nobody answers for is told in few words', async (t) => {
  const fake = await start(t, welcoming)
  await fake.stop()
  const { source } = agent(t, fake.port)
  const { lastError } = await until('away', () => source.connection.state === 'away' && source.connection)
  t.is(lastError, `UNAVAILABLE: no connection: connect ECONNREFUSED 127.0.0.1:${fake.port}`)
})

test('the token is in no log line and no state', async (t) => {
  const fake = await start(t, (stream) => stream.fail(status.UNAUTHENTICATED, 'expired'))
  const { source, lines, pauses } = agent(t, fake.port)
  await until('three rounds', () => pauses.length >= 3)
  t.notRegex(lines.join('\n') + JSON.stringify(source.connection), /token-1/)
})

for (const [code, reason] of [
  [status.UNAUTHENTICATED, 'Unauthenticated'],
  [status.PERMISSION_DENIED, 'PermissionDenied'],
  [status.FAILED_PRECONDITION, 'VersionMismatch'],
] as const) {
  test(`${status[code]} is a refusal: told once, tried more and more slowly`, async (t) => {
    const fake = await start(t, (stream) => stream.fail(code, 'because'))
    const { source, pauses, lines } = agent(t, fake.port)
    await until('eight rounds', () => pauses.length >= 8)
    t.like(source.connection, { state: 'refused', reason, lastError: `${status[code]}: because` })
    t.deepEqual(pauses.slice(0, 8), [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
    t.is(lines.filter((line) => line.includes('refuses')).length, 1)
  })
}

test('the agent goes to the replica that leads', async (t) => {
  const leader = await start(t, welcoming)
  const follower = await start(t, (stream) =>
    stream.fail(status.UNAVAILABLE, 'does not lead', { 'nodeleaf-leader': `127.0.0.1:${leader.port}` }),
  )
  const { source, pauses } = agent(t, follower.port)
  await connected(source)
  t.is(follower.streams.length, 1)
  t.deepEqual(pauses, [])
  t.is(source.connection.address, `127.0.0.1:${follower.port}`)
})

test('replicas that send it in circles do not keep it busy', async (t) => {
  const ports: number[] = []
  const fakes = [0, 1].map((each) =>
    start(t, (stream) =>
      stream.fail(status.UNAVAILABLE, 'not me', { 'nodeleaf-leader': `127.0.0.1:${ports[1 - each]}` }),
    ),
  )
  for (const fake of fakes) ports.push((await fake).port)
  const { pauses } = agent(t, ports[0] ?? 0)
  await until('two rounds', () => pauses.length >= 2)
  const [one, other] = await Promise.all(fakes)
  t.true((one?.streams.length ?? 0) + (other?.streams.length ?? 0) <= 4 * (pauses.length + 1))
})

test('a leader that steps down names the next one, and when that is gone the configured address counts', async (t) => {
  const gone = await start(t, welcoming)
  gone.stop()
  const fake = await start(t, welcoming)
  const { source } = agent(t, fake.port)
  await connected(source)
  fake.streams[0]?.fail(status.UNAVAILABLE, 'stepped down', { 'nodeleaf-leader': `127.0.0.1:${gone.port}` })
  await until('a second stream', () => fake.streams[1])
  await connected(source)
  t.pass()
})

test('each address of a name is tried, another one first in every round', async (t) => {
  const fake = await start(t, welcoming)
  const asked: string[] = []
  const { source } = agent(t, fake.port, {
    options: { host: 'headless.example' },
    addresses: (target) => {
      asked.push(target.host)
      return [
        { host: '127.0.0.1', port: 1 },
        { host: '127.0.0.1', port: 2 },
        { host: '127.0.0.1', port: target.port },
      ]
    },
  })
  await connected(source)
  t.deepEqual(asked, ['headless.example'], 'in one round')
  fake.streams[0]?.fail(status.UNAVAILABLE, 'restart')
  await until('a second stream', () => fake.streams[1])
  t.is(asked.length, 2, 'the name is resolved anew')
})

test('a name without an address is told', async (t) => {
  const { source } = agent(t, 1, { options: { host: 'nowhere.invalid' } })
  await until('told', () => source.connection.lastError?.includes('nowhere.invalid'))
  t.is(source.connection.state, 'away')
})

/** A wire between agent and controller that can be cut without a word. */
async function wire(
  t: ExecutionContext,
  port: number,
): Promise<{ port: number; freeze: () => void; thaw: () => void }> {
  const sockets = new Set<Socket>()
  let frozen = false
  const server: Server = createServer((socket) => {
    const other = tcpConnect(port, '127.0.0.1')
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      sockets.add(from)
      from.on('data', (data) => frozen || to.write(data))
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    freeze: () => {
      frozen = true
    },
    thaw: () => {
      frozen = false
    },
  }
}

test('a controller that freezes is noticed, though its connection stands, and found again', async (t) => {
  t.timeout(240_000)
  const fake = await start(t, welcoming)
  const middle = await wire(t, fake.port)
  const { source, said } = agent(t, middle.port)
  await connected(source)
  middle.freeze()
  // The keepalive is 13 s.
  await until('it is noticed', () => source.connection.state === 'away')
  t.true(said.includes('ended'))
  middle.thaw()
  await connected(source)
})

test('a mistake of the agent ends the stream, not the agent', async (t) => {
  const fake = await start(t, (stream) => {
    stream.welcome()
    stream.send({ case: 'plan', value: { revision: 'r1' } })
  })
  const { source, pauses } = agent(t, fake.port, {
    conversation: {
      update: () => {
        throw new Error('oops')
      },
    },
  })
  await until('two rounds', () => pauses.length >= 2)
  t.regex(source.connection.lastError ?? '', /oops/)
})

test('a stop ends the stream and the waiting', async (t) => {
  const fake = await start(t, welcoming)
  const { source, stop, running } = agent(t, fake.port)
  await connected(source)
  stop.abort()
  await running
  await until('the controller sees it', () => fake.streams[0]?.ended)
  t.pass()
})

test('the time between rounds grows with full jitter: to 5 s for a controller that is away, to 30 s for one that refuses', (t) => {
  const failures = [0, 1, 2, 3, 6, 100]
  t.deepEqual(
    failures.map((count) => redialMs(count, false, 1)),
    [1000, 1000, 2000, 4000, 5000, 5000],
  )
  t.deepEqual(
    failures.map((count) => redialMs(count, true, 1)),
    [1000, 1000, 2000, 4000, 30_000, 30_000],
  )
  t.is(redialMs(50, true, 0), 0)
})

test('targets are ADDRESS:PORT, and back', (t) => {
  for (const text of ['10.0.0.1:7443', '[fd00::1]:7443', 'a.example:1'])
    t.is(targetText(targetOf(text) ?? { host: '', port: 0 }), text)
  for (const text of ['', 'a', 'a:0', 'a:70000', 'http://a:1', 'fd00::1:1']) t.is(targetOf(text), undefined, text)
})

test('addresses are not asked of DNS', async (t) => {
  t.deepEqual(await addressesOf({ host: 'fd00::1', port: 1 }), [{ host: 'fd00::1', port: 1 }])
  t.true((await addressesOf({ host: 'localhost', port: 1 })).length > 0)
})

test('an agent whose token has expired after it was welcome is not refused: it comes back with the next one', async (t) => {
  const fake = await start(t, welcoming)
  const { source, lines } = agent(t, fake.port)
  await connected(source)
  fake.streams[0]?.fail(status.UNAUTHENTICATED, 'the token has expired')
  await until('a second stream', () => fake.streams[1])
  await connected(source)
  t.is(lines.filter((line) => line.includes('refuses')).length, 0)
})
