import test from 'ava'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Link } from './link.ts'
import type { ExecutionContext } from 'ava'
import type { Socket } from 'node:net'

interface Daemon {
  readonly path: string
  /** Everything that was asked on any connection. */
  readonly asked: string[]
  /** Connections that are open. */
  readonly sockets: Set<Socket>
  /** Answers what it owes, and everything from then on. */
  wake(): void
  sleep(): void
}

/** A daemon that takes connections and answers only while it is awake, which it is not at first. */
async function sleeper(t: ExecutionContext, backlog = 16): Promise<Daemon> {
  const path = join(mkdtempSync(join(tmpdir(), 'nodeleaf-link-')), 'zebra.vty')
  const [asked, sockets, owed]: [string[], Set<Socket>, (() => void)[]] = [[], new Set(), []]
  let awake = false
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (data) => {
      const lines = data.toString().split('\0').slice(0, -1)
      asked.push(...lines)
      const answer = () => lines.forEach((line) => socket.write(`${line}\0\0\0\0`))
      if (awake) answer()
      else owed.push(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen({ path, backlog }, resolve))
  t.teardown(() => server.close())
  const wake = () => {
    awake = true
    for (const answer of owed.splice(0)) answer()
  }
  const sleep = () => {
    awake = false
  }
  return { path, asked, sockets, wake, sleep }
}

async function until(true_: () => boolean): Promise<void> {
  while (!true_()) await new Promise((resolve) => setTimeout(resolve, 5))
}

const { signal } = new AbortController()

test('a daemon that does not answer gets one pair of connections, is told of, and is waited for', async (t) => {
  const { path, asked, sockets, wake } = await sleeper(t)
  let told = 0
  const opening = Link.open(path, { signal, slow: () => told++, slowMs: 20, answerTimeoutMs: 20 })
  await until(() => told > 0 && asked.length === 2)
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.is(sockets.size, 2)
  wake()
  const link = await opening
  t.deepEqual(asked, ['enable', 'enable'])
  t.is(told, 1)
  t.false(link.late)
  link.close()
})

test('who does not want to wait any more leaves no connection behind', async (t) => {
  const { path, asked, sockets } = await sleeper(t)
  const stop = new AbortController()
  const opening = Link.open(path, { signal: stop.signal })
  await until(() => asked.length === 2)
  stop.abort()
  await t.throwsAsync(opening, { code: 'disconnected' })
  await until(() => sockets.size === 0)
  await t.throwsAsync(Link.open(path, { signal: stop.signal }), { code: 'busy' })
  await until(() => sockets.size === 0)
  t.pass()
})

test('of a pair of which one is refused none is left', async (t) => {
  const { path, asked, sockets, wake } = await sleeper(t, 1)
  wake()
  const tries = await Promise.allSettled(Array.from({ length: 4 }, () => Link.open(path, { signal })))
  const refused = tries.filter((each) => each.status === 'rejected')
  t.true(refused.length > 0)
  await until(() => sockets.size === 2 * (4 - refused.length))
  t.true(asked.every((line) => line === 'enable'))
  for (const each of tries) if (each.status === 'fulfilled') each.value.close()
})

test('a session that was given up is left when the daemon has caught up', async (t) => {
  const daemon = await sleeper(t)
  daemon.wake()
  const link = await Link.open(daemon.path, { signal, answerTimeoutMs: 300 })
  let caughtUp = 0
  link.whenCaughtUp(() => caughtUp++)
  daemon.sleep()
  const asked = [link.config.send('configure terminal'), link.show.send('show version')]
  await Promise.all(asked.map((each) => t.throwsAsync(each, { code: 'busy' })))
  t.true(link.late)
  daemon.wake()
  await until(() => daemon.asked.at(-1) === 'end')
  t.is(caughtUp, 1)
  t.false(link.late)
  link.close()
})

test('a single connection is used by one after the other, and by the next when one has failed', async (t) => {
  const daemon = await sleeper(t)
  daemon.wake()
  const link = await Link.open(daemon.path, { signal, single: true })
  t.teardown(() => link.close())
  t.is(daemon.sockets.size, 1)
  t.is(link.config, link.show)
  const session = Promise.withResolvers<void>()
  const configured = link.alone(async () => {
    await link.config.send('configure terminal')
    await session.promise
    await link.config.send('end')
    throw new Error('refused')
  })
  const shown = link.alone(() => link.show.send('show running-config'))
  await until(() => daemon.asked.includes('configure terminal'))
  session.resolve()
  await t.throwsAsync(configured, { message: 'refused' })
  t.is((await shown).text, 'show running-config')
  t.deepEqual(daemon.asked, ['enable', 'configure terminal', 'end', 'show running-config'])
})
