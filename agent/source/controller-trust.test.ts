/** Whom the agent believes, and that thousands of dials leave nothing behind. */
import test, { type ExecutionContext } from 'ava'
import { readdirSync } from 'node:fs'
import { createServer as createTLS } from 'node:tls'
import { createLog } from '../../log/log.ts'
import { targetText } from './controller-dial.ts'
import { ControllerSource } from './controller-source.ts'
import { FakeController, type FakeStream } from '../../e2e/peers/fake-controller.ts'
import { makePki, type Pki } from '../../e2e/peers/pki.ts'

const NAME = 'controller.example'
const pki = await makePki([NAME])
const other = await makePki([NAME])

/** An agent that dials again and again until the test ends. */
function agent(t: ExecutionContext, port: number, files = pki.files) {
  const stop = new AbortController()
  let rounds = 0
  const nothing = (): void => {}
  const source = new ControllerSource({
    options: { host: '127.0.0.1', port, ca: files.ca, name: NAME, proof: { tokenFile: files.token } },
    log: createLog({ level: 'error', format: 'kv', now: () => new Date(0), write: nothing }),
    clock: { now: Date.now, random: () => 0 },
    conversation: {
      hello: () => ({ node: 'n1' }),
      begun: nothing,
      update: () => undefined,
      welcome: nothing,
      detailRequested: nothing,
      drained: nothing,
      ended: nothing,
    },
    effects: {
      pause: async () => {
        rounds++
        await new Promise((resolve) => setTimeout(resolve, 1))
      },
    },
  })
  const running = source.run(stop.signal)
  const end = async (): Promise<void> => {
    stop.abort()
    await running
  }
  t.teardown(end)
  return { source, end, rounds: () => rounds }
}

async function until(what: string, look: () => boolean): Promise<void> {
  const end = performance.now() + 60_000
  while (!look()) {
    if (performance.now() > end) throw new Error(`${what}: not within 60 s`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function served(t: ExecutionContext, by: Pki, opened: (stream: FakeStream) => void): Promise<FakeController> {
  const fake = await FakeController.start(by, opened)
  t.teardown(() => fake.stop())
  return fake
}

const expired = await makePki([NAME], -60_000)
const elsewhere = await makePki(['attacker.example'])

for (const [what, server, ca] of [
  ['of another CA', other, pki],
  ['that has expired', expired, expired],
  ['of another name', elsewhere, elsewhere],
  ["that is an agent's, even with the controller's name in it", { ...pki, server: pki.client }, pki],
] as const) {
  test(`a server with a certificate ${what} gets no token, and nobody goes where it sends`, async (t) => {
    let redirected = 0
    const bait = createTLS({ cert: pki.server.certificate, key: pki.server.key }, (socket) => socket.destroy())
    bait.on('connection', () => void redirected++)
    await new Promise<void>((resolve) => void bait.listen(0, '127.0.0.1', resolve))
    t.teardown(() => void bait.close())
    const address = bait.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const leader = targetText({ host: '127.0.0.1', port })
    const impostor = await served(t, server, (stream) => stream.fail(14, 'not me', { 'nodeleaf-leader': leader }))
    const { source, rounds } = agent(t, impostor.port, ca.files)
    await until('three rounds', () => rounds() >= 3)
    t.deepEqual(impostor.streams, [])
    t.is(redirected, 0)
    t.is(source.connection.state, 'away')
    t.regex(source.connection.lastError ?? '', /certificate|altnames|purpose/i)
  })
}

test('the leader that a replica names has to prove itself like everybody', async (t) => {
  const impostor = await served(t, other, (stream) => stream.welcome())
  const replica = await served(t, pki, (stream) =>
    stream.fail(14, 'not me', { 'nodeleaf-leader': `127.0.0.1:${impostor.port}` }),
  )
  const { rounds } = agent(t, replica.port)
  await until('three rounds', () => rounds() >= 3)
  t.deepEqual(impostor.streams, [])
})

test('a thousand dials leave no sockets, timers or listeners behind', async (t) => {
  t.timeout(240_000)
  const handles = (): number => process.getActiveResourcesInfo().filter((each) => each !== 'Immediate').length
  const descriptors = (): number => readdirSync('/proc/self/fd').length
  let streams = 0
  const fake = await served(t, pki, (stream) => {
    streams++
    if (streams % 3 === 0) return stream.fail(14, 'away')
    if (streams % 3 === 1) return stream.fail(16, 'who?')
    stream.welcome()
    stream.fail(14, 'stopping')
  })
  const { end } = agent(t, fake.port)
  await until('warm', () => streams >= 50)
  const before = [handles(), descriptors()] as const
  await until('all dials', () => streams >= 1000)
  await end()
  await until(
    `handles ${handles()} of ${before[0]}, descriptors ${descriptors()} of ${before[1]}`,
    () => handles() <= before[0] + 5 && descriptors() <= before[1] + 5,
  )
  t.pass()
})
