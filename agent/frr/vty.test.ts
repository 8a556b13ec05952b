import test from 'ava'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FrrError } from './frr-error.ts'
import { Vty } from './vty.ts'
import type { ExecutionContext } from 'ava'
import type { Socket } from 'node:net'

/** A daemon that does with what it receives what the test says. */
async function daemon(t: ExecutionContext, received: (text: string, socket: Socket) => void): Promise<string> {
  const path = join(mkdtempSync(join(tmpdir(), 'nodeleaf-vty-')), 'bgpd.vty')
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('data', (data) => received(data.toString(), socket))
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return path
}

test('answers belong to the lines in order, however the bytes are cut', async (t) => {
  let asked = ''
  const path = await daemon(t, (text, socket) => {
    asked += text
    if (asked.split('\0').length < 3) return
    const bytes = Buffer.from('first\0\0\0\x00second\0\0\0\x0d')
    for (const byte of bytes) socket.write(Buffer.from([byte]))
  })
  const vty = await Vty.open(path)
  const answers = await Promise.all([vty.send('one'), vty.send('two')])
  t.deepEqual(answers, [
    { status: 0, text: 'first' },
    { status: 13, text: 'second' },
  ])
  t.is(asked, 'one\0two\0')
  vty.close()
})

test('a digest tells answers apart, and stands between others in order', async (t) => {
  const path = await daemon(t, (text, socket) => {
    for (const line of text.split('\0').slice(0, -1)) socket.write(`${line.repeat(20_000)}\0\0\0\0`)
  })
  const vty = await Vty.open(path)
  const answers = await Promise.all([vty.digest('a'), vty.send('b'), vty.digest('a'), vty.digest('c')])
  const [first, text, again, other] = answers.map((answer) => answer.text)
  t.is(text, 'b'.repeat(20_000))
  t.is(again, first)
  t.not(other, first)
  t.true((first ?? '').length < 100)
  vty.close()
})

test('a zero byte in a text is a part of it', async (t) => {
  const vty = await Vty.open(await daemon(t, (_, socket) => socket.write('a\0b\0\0c\0\0\0\x01')))
  t.deepEqual(await vty.send('one'), { status: 1, text: 'a\0b\0\0c' })
  vty.close()
})

test('lines that are sent at once arrive at once', async (t) => {
  const arrived: string[] = []
  const path = await daemon(t, (text, socket) => {
    arrived.push(text)
    socket.write('\0\0\0\0'.repeat(text.split('\0').length - 1))
  })
  const vty = await Vty.open(path)
  await Promise.all(['one', 'two', 'three'].map((line) => vty.send(line)))
  await vty.send('four')
  t.deepEqual(arrived, ['one\0two\0three\0', 'four\0'])
  vty.close()
})

test('a daemon that goes away fails what waits, without telling passwords', async (t) => {
  const vty = await Vty.open(await daemon(t, (_, socket) => socket.destroy()))
  const closed = new Promise<void>((resolve) => vty.whenClosed(resolve))
  const error = await t.throwsAsync(vty.send('neighbor 10.0.0.1 password hunter2'), { instanceOf: FrrError })
  t.is(error?.code, 'disconnected')
  t.false(error?.message.includes('hunter2'))
  await closed
  await t.throwsAsync(vty.send('end'), { code: 'disconnected' })
})

test('a socket with answers owed is closed when they have come, and nobody waits for them', async (t) => {
  let answer = (): void => undefined
  const [received, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const path = await daemon(t, (text, socket) => {
    socket.on('close', () => ended.resolve())
    answer = () => text.split('\0').forEach((line) => line !== '' && socket.write(`${'x'.repeat(200_000)}\0\0\0\0`))
    received.resolve()
  })
  const vty = await Vty.open(path)
  const closed = new Promise<void>((resolve) => vty.whenClosed(resolve))
  const asked = Promise.allSettled([vty.send('show evpn vni detail json'), vty.digest('show running-config')])
  await received.promise
  vty.close()
  await closed
  t.true(vty.closed)
  for (const each of await asked) t.is(each.status === 'rejected' && (each.reason as FrrError).code, 'disconnected')
  await t.throwsAsync(vty.send('end'), { code: 'disconnected' })
  const soon = new Promise((resolve) => setTimeout(() => resolve('still open'), 50))
  t.is(await Promise.race([ended.promise, soon]), 'still open')
  answer()
  await t.notThrowsAsync(ended.promise)
})

test('nobody listening is an error that names the socket', async (t) => {
  const error = await t.throwsAsync(Vty.open('/nowhere/bgpd.vty'), { code: 'unreachable' })
  t.true(error?.message.includes('/nowhere/bgpd.vty'))
})

test('a line with a control character is never sent', async (t) => {
  const vty = await Vty.open(await daemon(t, () => t.fail()))
  await t.throwsAsync(vty.send('router bgp 1\nno router bgp 1'), { code: 'bad-line' })
  vty.close()
})

test('a daemon that is late is asked no more until its answers have come, and they are not taken for others', async (t) => {
  const asked: string[] = []
  let answer = (): void => undefined
  const path = await daemon(t, (text, socket) => {
    const lines = text.split('\0').slice(0, -1)
    asked.push(...lines)
    const answers = () => lines.forEach((line) => socket.write(`to ${line}\0\0\0\0`))
    if (lines.includes('one')) answer = answers
    else answers()
  })
  const vty = await Vty.open(path, 200)
  let caughtUp = 0
  vty.whenCaughtUp(() => caughtUp++)
  const patient = vty.sendPatiently('zero')
  const both = await Promise.allSettled([vty.send('one'), vty.digest('two secret')])
  t.deepEqual(
    both.map((each) => each.status === 'rejected' && (each.reason as FrrError).code),
    ['busy', 'busy'],
  )
  t.true(vty.late)
  t.false(vty.closed)
  await t.throwsAsync(vty.send('three'), { code: 'busy', message: /runs and does not answer/ })
  t.is(caughtUp, 0)

  answer()
  t.is((await patient).text, 'to zero')
  while (vty.late) await new Promise((resolve) => setImmediate(resolve))
  t.is(caughtUp, 1)
  t.is((await vty.send('four')).text, 'to four')
  t.deepEqual(asked, ['zero', 'one', 'two secret', 'four'])
  vty.close()
})

test('a patient question is no reason to be late', async (t) => {
  const vty = await Vty.open(await daemon(t, (_, socket) => setTimeout(() => socket.write('fine\0\0\0\0'), 150)), 30)
  t.is((await vty.sendPatiently('enable')).text, 'fine')
  t.false(vty.late)
  vty.close()
})

test('a daemon that takes no more connections is busy, not away', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'nodeleaf-vty-')), 'zebra.vty')
  const server = createServer((socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen({ path, backlog: 1 }, resolve))
  t.teardown(() => server.close())
  // All of them come before it takes up the first.
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => Vty.open(path)))
  const errors = tries.flatMap((each) => (each.status === 'rejected' ? [each.reason as FrrError] : []))
  t.true(errors.length > 0)
  for (const { code, message } of errors) {
    t.is(code, 'busy')
    t.true(message.includes(path))
  }
  for (const each of tries) if (each.status === 'fulfilled') each.value.close()
})

test('a daemon that owes nothing may be silent, and is late when it owes something again', async (t) => {
  const path = await daemon(t, (text, socket) => {
    if (!text.includes('three')) socket.write('fine\0\0\0\0')
  })
  const vty = await Vty.open(path, 100)
  await vty.send('one')
  await new Promise((resolve) => setTimeout(resolve, 250))
  t.false(vty.late)
  t.deepEqual(await vty.send('two'), { status: 0, text: 'fine' })
  await new Promise((resolve) => setTimeout(resolve, 250))
  await t.throwsAsync(vty.send('three'), { code: 'busy' })
  vty.close()
})
