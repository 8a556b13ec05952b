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
  const server = createServer((socket) => socket.on('data', (data) => received(data.toString(), socket)))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(() => server.close())
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

test('nobody listening is an error that names the socket', async (t) => {
  const error = await t.throwsAsync(Vty.open('/nowhere/bgpd.vty'), { code: 'unreachable' })
  t.true(error?.message.includes('/nowhere/bgpd.vty'))
})

test('a line with a control character is never sent', async (t) => {
  const vty = await Vty.open(await daemon(t, () => t.fail()))
  await t.throwsAsync(vty.send('router bgp 1\nno router bgp 1'), { code: 'bad-line' })
  vty.close()
})

test('a daemon that hangs counts as gone', async (t) => {
  const vty = await Vty.open(await daemon(t, () => {}), 50)
  await t.throwsAsync(vty.send('show version'), { code: 'disconnected' })
  t.true(vty.closed)
})

test('a daemon that owes nothing may be silent', async (t) => {
  const vty = await Vty.open(await daemon(t, (_, socket) => socket.write('fine\0\0\0\0')), 50)
  await vty.send('one')
  await new Promise((resolve) => setTimeout(resolve, 120))
  t.deepEqual(await vty.send('two'), { status: 0, text: 'fine' })
  vty.close()
})
