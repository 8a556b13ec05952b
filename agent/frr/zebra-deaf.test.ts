import test from 'ava'
import { isDeaf, isLocked, waitsFor } from './zebra-deaf.ts'

const transaction = (session: number, id = 8) =>
  `MGMTD Transactions
  Txn: \t\t\t0x0x5500004dca00
    Txn-Id: \t\t\t${id}
    Session-Id: \t\t${session}
    Type: \t\t\tCONFIG
    Ref-Count: \t\t\t3
  Total: 1`
const noTransaction = 'MGMTD Transactions\n  Total: 0'
const zebra = 'MGMTD Backend Adapters\n  Client: \t\t\tzebra\n    Conn-FD: \t\t\t16\n  Total: 1'
const nobody = 'MGMTD Backend Adapters\n  Total: 0'

test('mgmtd waits for zebra while the transaction without a session is there, and while zebra is not connected', (t) => {
  t.is(waitsFor(transaction(0), zebra), 'transaction 8')
  t.is(waitsFor(transaction(0, 21), nobody), 'transaction 21')
  t.is(waitsFor(noTransaction, nobody), 'connection')
})

test('mgmtd waits for nothing when a session commits, when it is idle, and when it says something unknown', (t) => {
  t.is(waitsFor(transaction(46), zebra), undefined)
  t.is(waitsFor(noTransaction, zebra), undefined)
  t.is(waitsFor('', '% Unknown command'), undefined)
})

test('zebra is deaf when mgmtd waits for the same thing at every look', async (t) => {
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
