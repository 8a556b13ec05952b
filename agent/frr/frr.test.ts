import test from 'ava'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { daemons } from './daemons.ts'
import { Frr } from './frr.ts'
import type { ExecutionContext } from 'ava'
import type { Socket } from 'node:net'
import { root, type Command, type Daemon } from './tree.ts'

interface Fake {
  readonly socketsDir: string
  /** What zebra was asked. */
  readonly zebra: string[]
  /** Connections that zebra took up, ever. */
  connections: number
  /** Does not answer. */
  busy: Daemon | undefined
  /** It answers what it owes. */
  answer(): void
  /** What is answered to which line. */
  readonly says: Record<string, string>
  /** Is answered with this. */
  readonly refuses: Map<string, string>
  /** Closes its connections, and takes new ones. */
  restart(daemon: Daemon): void
  /** Runs one more. */
  start(daemon: Daemon): Promise<void>
}

const answers: Readonly<Record<string, string>> = {
  'show version': 'FRRouting 10.3 (node1)',
  list: '  router bgp\n  ip prefix-list\n  route-map\n  bfd\n  vrf NAME',
  'show evpn json': '{"numVnis": 4000}',
  'show bfd peers json': '[]',
}

/** An FRR whose daemons take every line. */
async function fakeFrr(t: ExecutionContext, running: readonly Daemon[] = daemons): Promise<Fake> {
  const socketsDir = mkdtempSync(join(tmpdir(), 'nodeleaf-frr-'))
  const owed: (() => void)[] = []
  const sockets = new Map<Socket, Daemon>()
  const fake: Fake = {
    socketsDir,
    zebra: [],
    connections: 0,
    busy: undefined,
    answer: () => owed.splice(0).forEach((each) => each()),
    says: { ...answers },
    refuses: new Map(),
    start: (daemon) => serve(daemon),
    restart: (daemon) => sockets.forEach((of, socket) => of === daemon && socket.destroy()),
  }
  const serve = async (daemon: Daemon) => {
    const server = createServer((socket) => {
      if (daemon === 'zebra') fake.connections++
      sockets.set(socket, daemon)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
      socket.on('data', (data) => {
        for (const line of data.toString().split('\0').slice(0, -1)) {
          const refusal = fake.refuses.get(line)
          const text = refusal === undefined ? `${fake.says[line] ?? ''}\0\0\0\0` : `${refusal}\0\0\0\x0d`
          const answer = () => socket.write(text)
          if (daemon === 'zebra') fake.zebra.push(line)
          if (daemon === fake.busy) owed.push(answer)
          else answer()
        }
      })
    })
    await new Promise<void>((resolve) => server.listen(join(socketsDir, `${daemon}.vty`), resolve))
    t.teardown(() => server.close())
  }
  await Promise.all(running.map(serve))
  return fake
}

test('a zebra that is late is asked once, keeps its connections, and tells when it has caught up', async (t) => {
  const fake = await fakeFrr(t)
  const frr = await Frr.connect({ socketsDir: fake.socketsDir, answerTimeoutMs: 300 })
  t.teardown(() => frr.close())
  const told: string[] = []
  frr.on('disconnected', () => told.push('disconnected'))
  const caughtUp = new Promise<void>((resolve) => frr.once('connected', resolve))
  fake.busy = 'zebra'
  fake.zebra.splice(0)
  await t.throwsAsync(frr.vniCount(), { code: 'busy' })
  await t.throwsAsync(frr.vniCount(), { code: 'busy' })
  t.is(frr.late, 'zebra')
  t.true(frr.connected)
  t.deepEqual(fake.zebra, ['show evpn json'])
  t.deepEqual(await frr.bfdPeers(), [])

  frr.known.know({ line: '', body: [] }, frr.known.age)
  fake.busy = undefined
  fake.answer()
  await caughtUp
  t.is(frr.late, undefined)
  t.is(frr.known.tree, undefined)
  t.is(await frr.vniCount(), 4000)
  t.deepEqual(told, [])
  t.is(fake.connections, 2)
})

test('to connect to a zebra that does not answer yet takes as long as it needs, and one pair of connections', async (t) => {
  const fake = await fakeFrr(t)
  fake.busy = 'zebra'
  const connecting = Frr.connect({ socketsDir: fake.socketsDir, answerTimeoutMs: 20 })
  while (fake.zebra.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 100))
  fake.busy = undefined
  fake.answer()
  const frr = await connecting
  t.is(fake.connections, 2)
  t.is(await frr.vniCount(), 4000)
  frr.close()
})

test('who stops while a daemon does not answer does not wait for it', async (t) => {
  const fake = await fakeFrr(t)
  fake.busy = 'zebra'
  const stop = new AbortController()
  const connecting = Frr.connect({ socketsDir: fake.socketsDir, signal: stop.signal })
  while (fake.zebra.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  stop.abort()
  await t.throwsAsync(connecting, { name: 'FrrError' })
})

const transactions = 'show mgmt transaction all'
const backends = 'show mgmt backend-adapter all'
const first = 'Txn-Id: 3\n Session-Id: 0\n Type: CONFIG'
const adapters = (...clients: string[]) =>
  ['MGMTD Backend Adapters', ...clients.map((client) => `  Client: \t${client}`), `  Total: ${clients.length}`].join(
    '\n',
  )
const vni: Command = { context: ['vrf red'], line: 'vni 100', undo: ['no vni 100'], daemons: ['mgmtd'] }

async function until(true_: () => boolean): Promise<void> {
  while (!true_()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('an mgmtd that was started again is there when zebra has connected to it and has its configuration', async (t) => {
  const fake = await fakeFrr(t)
  Object.assign(fake.says, { [transactions]: 'MGMTD Transactions', [backends]: adapters('zebra') })
  const frr = await Frr.connect({ socketsDir: fake.socketsDir })
  t.teardown(() => frr.close())
  t.true(frr.connected)
  t.false(fake.zebra.includes('show evpn json'))
  let back = 0
  frr.on('connected', () => back++)
  const asked = () => fake.zebra.filter((line) => line === 'show evpn json').length

  fake.says[backends] = adapters()
  fake.restart('mgmtd')
  await until(() => asked() >= 2)
  t.false(frr.connected)
  Object.assign(fake.says, { [transactions]: first, [backends]: adapters('zebra') })
  await until(() => asked() >= 4)
  t.false(frr.connected)
  t.is(back, 0)
  fake.says[transactions] = 'MGMTD Transactions'
  await until(() => back === 1)
  t.true(frr.connected)
})

test('a zebra that answers and never connects to mgmtd does not hold up the rest', async (t) => {
  const fake = await fakeFrr(t)
  fake.says[backends] = adapters()
  const frr = await Frr.connect({ socketsDir: fake.socketsDir })
  t.true(frr.connected)
  t.is(await frr.vniCount(), 4000)
  frr.close()
  t.false(frr.connected)
})

test('nor does one that is late with its answer', async (t) => {
  const fake = await fakeFrr(t)
  fake.says[backends] = adapters()
  const connecting = Frr.connect({ socketsDir: fake.socketsDir, answerTimeoutMs: 300 })
  await until(() => fake.zebra.includes('list'))
  fake.busy = 'zebra'
  const frr = await connecting
  t.true(frr.connected)
  t.is(frr.late, 'zebra')
  frr.close()
})

test('who stops while zebra has not connected to mgmtd does not wait for it', async (t) => {
  const fake = await fakeFrr(t)
  fake.says[backends] = adapters()
  const stop = new AbortController()
  const connecting = Frr.connect({ socketsDir: fake.socketsDir, signal: stop.signal })
  await until(() => fake.zebra.includes('show evpn json'))
  stop.abort()
  await t.throwsAsync(connecting, { name: 'FrrError' })
})

test('zebra says itself whether it listens to mgmtd; mgmtd is asked what it waits for', async (t) => {
  const fake = await fakeFrr(t)
  const frr = await Frr.connect({ socketsDir: fake.socketsDir })
  t.teardown(() => frr.close())
  Object.assign(fake.says, { [transactions]: first, [backends]: adapters('zebra') })
  fake.says['show event poll'] = 'vtysh_accept\nmsg_conn_read'
  t.is(await frr.signOfDeafness(), undefined)
  fake.says['show event poll'] = 'vtysh_accept'
  t.true((await frr.signOfDeafness())?.startsWith('transaction 3'))
})

/** An Frr on a fake one; how often it doubted. */
async function doubting(t: ExecutionContext) {
  const fake = await fakeFrr(t)
  const frr = await Frr.connect({ socketsDir: fake.socketsDir })
  t.teardown(() => frr.close())
  let count = 0
  frr.on('doubtful', () => count++)
  return { fake, frr, doubts: () => count }
}

test('a refused line of mgmtd is a reason to doubt that zebra listens to it, one of bgpd is not', async (t) => {
  const { fake, frr, doubts } = await doubting(t)
  for (const [daemon, wanted] of [
    ['bgpd', 0],
    ['mgmtd', 1],
  ] as const) {
    await frr.apply([{ ...vni, daemons: [daemon] }])
    t.is(doubts(), 0)
    fake.refuses.set('vni 100', '% Configuration failed.')
    const [result] = await frr.apply([{ ...vni, daemons: [daemon] }])
    fake.refuses.clear()
    t.is(result?.outcome, 'refused')
    t.is(doubts(), wanted)
  }
})

test('so is a commit that fails, though its lines are taken one by one afterwards', async (t) => {
  const { fake, frr, doubts } = await doubting(t)
  const two = [vni, { ...vni, context: ['vrf blue'] }]
  await frr.apply(two)
  t.is(doubts(), 0)
  fake.refuses.set('mgmt commit apply', '% Configuration failed.')
  const results = await frr.apply(two)
  t.true(results.every(({ outcome }) => outcome === 'ok'))
  t.is(doubts(), 1)
})

test('so is an mgmtd that does not answer; what zebra says of itself is enough then', async (t) => {
  const fake = await fakeFrr(t)
  const frr = await Frr.connect({ socketsDir: fake.socketsDir, answerTimeoutMs: 300 })
  t.teardown(() => frr.close())
  fake.says['show event poll'] = 'vtysh_accept'
  let doubts = 0
  frr.on('doubtful', () => doubts++)
  fake.busy = 'mgmtd'
  await t.throwsAsync(frr.apply([vni]), { code: 'busy' })
  t.is(doubts, 1)
  t.is(frr.late, 'mgmtd')
  const sign = await frr.signOfDeafness()
  t.not(sign, undefined)
  t.is(await frr.signOfDeafness(), sign)
  fake.says['show event poll'] = 'vtysh_accept\nmsg_conn_read'
  t.is(await frr.signOfDeafness(), undefined)
})

test('a daemon that only some plans need may be absent; who needs it gets it started, and it stays needed', async (t) => {
  const fake = await fakeFrr(t, ['mgmtd', 'zebra', 'bgpd'])
  const started: Daemon[] = []
  const start = async (daemon: Daemon) => {
    started.push(daemon)
    await fake.start(daemon)
  }
  const frr = await Frr.connect({ socketsDir: fake.socketsDir, start })
  t.teardown(() => frr.close())
  t.true(frr.connected)
  t.deepEqual(frr.ownership('bfd'), [])
  t.deepEqual(await frr.bfdPeers(), [])
  fake.says['show bfd peers json'] = '[{"peer": "192.0.2.1", "status": "up"}]'
  frr.known.know(root([]), frr.known.age)
  await frr.need('bfdd')
  await frr.need('bfdd')
  t.deepEqual(started, ['bfdd'])
  t.deepEqual(frr.ownership('bfd'), ['bfdd'])
  t.is(frr.known.tree, undefined, 'what it has was not known')
  t.is((await frr.bfdPeers()).length, 1)

  const gone = new Promise<Daemon>((resolve) => frr.once('disconnected', resolve))
  const back = new Promise<void>((resolve) => frr.once('connected', resolve))
  fake.restart('bfdd')
  t.is(await gone, 'bfdd')
  t.false(frr.connected)
  await back
  t.is((await frr.bfdPeers()).length, 1)
})

test('one that nobody can start is told of, and all else goes on', async (t) => {
  const fake = await fakeFrr(t, ['mgmtd', 'zebra', 'bgpd'])
  const frr = await Frr.connect({ socketsDir: fake.socketsDir })
  t.teardown(() => frr.close())
  await t.throwsAsync(frr.need('bfdd'), { code: 'unreachable', message: /bfdd\.vty/ })
  t.true(frr.connected)
  t.is(await frr.vniCount(), 4000)
  await fake.start('bfdd')
  await frr.need('bfdd')
  t.deepEqual(frr.ownership('bfd'), ['bfdd'])
})
