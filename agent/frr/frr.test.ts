import test from 'ava'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { daemons } from './daemons.ts'
import { Frr } from './frr.ts'
import type { ExecutionContext } from 'ava'
import type { Daemon } from './tree.ts'

interface Fake {
  readonly socketsDir: string
  /** What zebra was asked. */
  readonly zebra: string[]
  /** Connections that zebra took up, ever. */
  connections: number
  /** zebra does not answer. */
  busy: boolean
  /** zebra answers what it owes. */
  answer(): void
}

const answers: Readonly<Record<string, string>> = {
  'show version': 'FRRouting 10.3 (node1)',
  list: '  router bgp\n  ip prefix-list\n  route-map\n  bfd\n  vrf NAME',
  'show evpn json': '{"numVnis": 4000}',
  'show bfd peers json': '[]',
}

/** An FRR of five daemons that take every line. */
async function fakeFrr(t: ExecutionContext): Promise<Fake> {
  const socketsDir = mkdtempSync(join(tmpdir(), 'nodeleaf-frr-'))
  const owed: (() => void)[] = []
  const fake: Fake = {
    socketsDir,
    zebra: [],
    connections: 0,
    busy: false,
    answer: () => owed.splice(0).forEach((each) => each()),
  }
  const serve = async (daemon: Daemon) => {
    const server = createServer((socket) => {
      if (daemon === 'zebra') fake.connections++
      socket.on('error', () => undefined)
      socket.on('data', (data) => {
        for (const line of data.toString().split('\0').slice(0, -1)) {
          const answer = () => socket.write(`${answers[line] ?? ''}\0\0\0\0`)
          if (daemon === 'zebra') fake.zebra.push(line)
          if (daemon === 'zebra' && fake.busy) owed.push(answer)
          else answer()
        }
      })
    })
    await new Promise<void>((resolve) => server.listen(join(socketsDir, `${daemon}.vty`), resolve))
    t.teardown(() => server.close())
  }
  await Promise.all(daemons.map(serve))
  return fake
}

test('a zebra that is late is asked once, keeps its connections, and tells when it has caught up', async (t) => {
  const fake = await fakeFrr(t)
  const frr = await Frr.connect({ socketsDir: fake.socketsDir, answerTimeoutMs: 300 })
  t.teardown(() => frr.close())
  const told: string[] = []
  frr.on('disconnected', () => told.push('disconnected'))
  const caughtUp = new Promise<void>((resolve) => frr.once('connected', resolve))
  fake.busy = true
  fake.zebra.splice(0)
  await t.throwsAsync(frr.vniCount(), { code: 'busy' })
  await t.throwsAsync(frr.vniCount(), { code: 'busy' })
  t.is(frr.late, 'zebra')
  t.true(frr.connected)
  t.deepEqual(fake.zebra, ['show evpn json'])
  t.deepEqual(await frr.bfdPeers(), [])

  frr.known.know({ line: '', body: [] }, frr.known.age)
  fake.busy = false
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
  fake.busy = true
  const connecting = Frr.connect({ socketsDir: fake.socketsDir, answerTimeoutMs: 20 })
  while (fake.zebra.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 100))
  fake.busy = false
  fake.answer()
  const frr = await connecting
  t.is(fake.connections, 2)
  t.is(await frr.vniCount(), 4000)
  frr.close()
})

test('who stops while a daemon does not answer does not wait for it', async (t) => {
  const fake = await fakeFrr(t)
  fake.busy = true
  const stop = new AbortController()
  const connecting = Frr.connect({ socketsDir: fake.socketsDir, signal: stop.signal })
  while (fake.zebra.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  stop.abort()
  await t.throwsAsync(connecting, { name: 'FrrError' })
})
