import test from 'ava'
import { DeafZebra } from './deaf-zebra.ts'
import { FrrError } from './frr/frr-error.ts'
import { ManualClock } from '../pace/manual-clock.ts'

const LONG_MS = 60_000
const TEN_MINUTES_MS = 600_000
const RESTARTED =
  'zebra and mgmtd do not hear each other any more, so no VRF gets a VNI or loses one: it is started again'
const RESTART = 'zebra and mgmtd do not hear each other any more, so no VRF gets a VNI or loses one: restart zebra'

type Sign = string | undefined | Error

/** `sign`: what is seen at which look. `did`: `killed`, and what is said. */
function lab(sign: (look: number) => Sign, managed = true) {
  const did: string[] = []
  const clock = new ManualClock()
  const say = (message: string) => did.push(message)
  const log = { debug: say, info: say, warn: say, error: say }
  const zebra = new DeafZebra(managed ? () => did.push('killed') : undefined, log, clock)
  const stop = new AbortController()
  const seen = { looks: 0 }
  const frr = {
    signOfDeafness: async () => {
      const now = sign(seen.looks++)
      if (now instanceof Error) throw now
      return now
    },
  }
  return { clock, did, seen, stop, zebra, look: () => zebra.look(frr, stop.signal) }
}

test('a zebra that is found deaf is killed once, and that is said', async (t) => {
  const { clock, did, look, zebra } = lab(() => 'transaction 8')
  const looked = look()
  await clock.advance(1000)
  t.deepEqual(did, [])
  t.is(zebra.looking, looked)
  await clock.advance(LONG_MS)
  await looked
  t.deepEqual(did, [RESTARTED, 'killed'])
  t.is(zebra.looking, undefined)
})

test('who wants a look while there is one gets that one', async (t) => {
  const { clock, did, seen, look } = lab(() => 'transaction 8')
  t.is(look(), look())
  await clock.advance(LONG_MS)
  t.is(seen.looks, 10)
  t.deepEqual(did, [RESTARTED, 'killed'])
})

test('a zebra that is deaf again is left alone for ten minutes, which is said once, and then killed again', async (t) => {
  const { clock, did, seen, look } = lab(() => 'transaction 8')
  for (let times = 0; times < 3; times++) {
    void look()
    await clock.advance(LONG_MS)
  }
  t.is(seen.looks, 30)
  const [restarted, killed, again, ...others] = did.splice(0)
  t.deepEqual([restarted, killed, others], [RESTARTED, 'killed', []])
  t.regex(again ?? '', /again within ten minutes .* restart zebra by hand/)
  await clock.advance(TEN_MINUTES_MS)
  for (let times = 0; times < 2; times++) {
    void look()
    await clock.advance(LONG_MS)
  }
  t.deepEqual(did, [RESTARTED, 'killed', again])
})

test("a deaf zebra that is somebody else's is told of every ten minutes", async (t) => {
  const { clock, did, look } = lab(() => 'transaction 8', false)
  for (let times = 0; times < 2; times++) {
    void look()
    await clock.advance(LONG_MS)
  }
  t.deepEqual(did, [RESTART])
  await clock.advance(TEN_MINUTES_MS)
  void look()
  await clock.advance(LONG_MS)
  t.deepEqual(did, [RESTART, RESTART])
})

test('a zebra that goes away while it is looked at is not killed, and looked at when it is back', async (t) => {
  const away = new FrrError('disconnected', "FRR's zebra is not running")
  const { clock, did, seen, look } = lab((at) => (at === 5 ? away : at < 7 ? 'connection' : undefined))
  const first = look()
  await clock.advance(LONG_MS)
  await first
  t.is(seen.looks, 6)
  await Promise.all([look(), clock.advance(LONG_MS)])
  t.is(seen.looks, 8)
  t.deepEqual(did, [])
})

test('a zebra that is busy at its start is not killed: it takes more, or comes to the end', async (t) => {
  const signs = ['connection', 'transaction 1, 40 bytes sent', 'transaction 1, 90 bytes sent', 'transaction 2']
  const { clock, did, seen, look } = lab((at) => signs[Math.floor(at / 9)])
  const looked = look()
  await clock.advance(LONG_MS)
  await looked
  t.is(seen.looks, 37)
  t.deepEqual(did, [])
})

test('an agent that goes meanwhile kills nothing', async (t) => {
  const { clock, did, stop, look } = lab(() => 'transaction 8')
  const looked = look()
  await clock.advance(4000)
  stop.abort()
  await looked
  t.deepEqual(did, [])
})

test('what goes wrong otherwise is said, and kills nothing', async (t) => {
  const { did, look } = lab(() => new TypeError('not a function'))
  await look()
  t.deepEqual(did, ['cannot find out whether zebra listens to mgmtd'])
})
