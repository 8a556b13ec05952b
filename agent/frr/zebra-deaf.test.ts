import test from 'ava'
import { isDeaf, isLocked, signOf, waitsFor } from './zebra-deaf.ts'

const transaction = (session: number, id = 8) =>
  `MGMTD Transactions
  Txn: \t\t\t0x0x5500004dca00
    Txn-Id: \t\t\t${id}
    Session-Id: \t\t${session}
    Type: \t\t\tCONFIG
    Ref-Count: \t\t\t3
  Total: 1`
const noTransaction = 'MGMTD Transactions\n  Total: 0'
const zebra = (received = 17, sent = 26) =>
  `MGMTD Backend Adapters
  Client: \t\t\tzebra
    Conn-FD: \t\t\t16
    Client-Id: \t\t\t1
    Ref-Count: \t\t\t2
    Msg-Recvd: \t\t\t1
    Bytes-Recvd: \t\t${received}
    Msg-Sent: \t\t\t2
    Bytes-Sent: \t\t${sent}
  Total: 1`
const nobody = 'MGMTD Backend Adapters\n  Total: 0'
/** A part of what zebra of FRR 10.3 says. */
const polling = (...readers: string[]) =>
  `Showing poll FD's for default
-----------------------------
Count: ${readers.length}/20000
${readers.map((reader, at) => `\t     ${at} fd:    ${12 + at} events: 1 revents: 0\t\t${reader}`).join('\n')}`
const hears = polling('kernel_read', 'vtysh_accept', 'zserv_accept', 'msg_conn_read')
const deaf = polling('kernel_read', 'vtysh_accept', 'zserv_accept')

test('mgmtd waits for zebra while the transaction without a session is there, and while zebra is not connected', (t) => {
  const first = { transactions: transaction(0), backends: zebra() }
  t.is(waitsFor(first), 'transaction 8, 17 bytes received, 26 sent')
  t.is(waitsFor({ transactions: transaction(0, 21), backends: nobody }), 'transaction 21, ? bytes received, ? sent')
  t.is(waitsFor({ transactions: noTransaction, backends: nobody }), 'connection')
})

test('a first configuration that is on its way is seen to move', (t) => {
  const at = (received: number, sent: number) =>
    waitsFor({ transactions: transaction(0), backends: zebra(received, sent) })
  t.is(new Set([at(17, 26), at(17, 65_000), at(60, 65_000), at(17, 26)]).size, 3)
})

test('mgmtd waits for nothing when a session commits, when it is idle, and when it says something unknown', (t) => {
  t.is(waitsFor({ transactions: transaction(46), backends: zebra() }), undefined)
  t.is(waitsFor({ transactions: noTransaction, backends: zebra() }), undefined)
  t.is(waitsFor({ transactions: '', backends: '% Unknown command' }), undefined)
})

test('a zebra that polls its connection to mgmtd listens, whatever mgmtd waits for', (t) => {
  t.is(signOf({ polled: hears, transactions: transaction(0), backends: zebra() }), undefined)
  t.is(signOf({ polled: hears, transactions: noTransaction, backends: zebra() }), undefined)
})

test('a zebra that listens may be mute when mgmtd does not know it', (t) => {
  const backends = 'MGMTD Backend Adapters\n  Client: \t\t\tUnknown-FD-17\n    Msg-Recvd: \t\t\t0\n  Total: 1'
  t.is(signOf({ polled: hears, transactions: noTransaction, backends }), 'connection')
})

test('a zebra that does not may be deaf, though mgmtd waits for nothing yet, or does not answer', (t) => {
  const sign = signOf({ polled: deaf, transactions: transaction(0), backends: zebra() })
  t.is(sign, 'transaction 8, 17 bytes received, 26 sent')
  t.is(signOf({ polled: deaf, transactions: noTransaction, backends: nobody }), 'connection')
  t.not(signOf({ polled: deaf, transactions: noTransaction, backends: zebra() }), undefined)
  t.not(signOf({ polled: deaf, transactions: '', backends: '' }), undefined)
})

test('a zebra that does not say what it polls may be deaf when mgmtd waits for it, else not', (t) => {
  for (const polled of ['', '% Unknown command: show event poll', polling('a_reader_of_later_years')]) {
    t.not(signOf({ polled, transactions: transaction(0), backends: zebra() }), undefined)
    t.is(signOf({ polled, transactions: noTransaction, backends: zebra() }), undefined)
    t.is(signOf({ polled, transactions: '', backends: '' }), undefined)
  }
})

test('zebra is deaf when there is the same sign at every look', async (t) => {
  let rests = 0
  t.true(
    await isDeaf(
      async () => 'transaction 8',
      async () => rests++,
    ),
  )
  t.is(rests, 10)
})

test('zebra that takes its time, or is started again meanwhile, is not deaf', async (t) => {
  const times = (what: string) => Array<string>(9).fill(what)
  const looks = [...times('transaction 8'), ...times('connection'), ...times('transaction 9'), undefined]
  const rests: unknown[] = []
  t.false(
    await isDeaf(
      async () => looks.shift(),
      async () => rests.push(0),
    ),
  )
  t.is(looks.length, 0)
  t.is(rests.length, 27)
})

test("mgmtd's words for a lock are known", (t) => {
  t.true(isLocked('vrf blue: % command failed, could not lock running DS'))
  t.true(isLocked("% Can't enter config; running datastore locked by another session"))
  t.false(isLocked('% Unknown command: vni 5'))
})
