import test from 'ava'
import { ManualClock } from '../../pace/manual-clock.ts'
import type { SessionStatus, VniStatus } from '../status/document.ts'
import { FrrWatch, type Connections } from './frr-watch.ts'

/** An FRR that counts what it is asked. */
function setup(kernel?: Connections) {
  const asked = { down: 0, sessions: 0, vnis: 0 }
  const frr = {
    text: '' as string | undefined,
    state: 'Established',
    down: async () => {
      asked.down++
      return frr.text
    },
    sessions: async (): Promise<readonly SessionStatus[]> => {
      asked.sessions++
      return [{ peer: '192.0.2.1', state: frr.state }]
    },
    vnis: async (): Promise<readonly VniStatus[]> => {
      asked.vnis++
      return []
    },
  }
  const clock = new ManualClock()
  const stop = new AbortController()
  const watch = new FrrWatch(frr, { observed: () => undefined }, clock, () => 0, kernel)
  const running = watch.run(stop.signal)
  const end = async (): Promise<void> => {
    stop.abort()
    await running
  }
  /** Moves time on until it holds: the wake-ups in between take real milliseconds. */
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (let i = 0; !holds(); i++) {
      if (i > 1000) throw new Error(`${what}: ${JSON.stringify(asked)}`)
      await clock.advance(50)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  return { asked, frr, clock, watch, until, end }
}

test('everything is read at the beginning, and then only the cheap question is asked until the slow look', async (t) => {
  const { asked, clock, until, end } = setup()
  await until('the first reading', () => asked.sessions === 1 && asked.vnis >= 1)
  await until('VNIs have settled', () => clock.now() > 8000)
  const { sessions, vnis, down } = asked
  await until('it goes on asking', () => asked.down >= down + 3)
  t.true(clock.now() < 15_000)
  t.deepEqual([asked.sessions, asked.vnis], [sessions, vnis])
  await until('the slow look', () => asked.sessions > sessions && asked.vnis > vnis)
  t.true(clock.now() >= 15_000)
  await end()
})

test('a session that went down or came up makes everything be read', async (t) => {
  const { asked, frr, clock, until, end } = setup()
  await until('VNIs have settled', () => clock.now() > 8000)
  const { sessions, vnis } = asked
  frr.text = 'default ipv4Unicast 1 192.0.2.1'
  await until('it is read', () => asked.sessions === sessions + 1 && asked.vnis > vnis)
  t.true(clock.now() < 12_000)
  await end()
})

test('a connection that ended makes the question be asked at once, a link VNIs be read, and again when zebra has followed', async (t) => {
  const { asked, clock, watch, until, end } = setup()
  await until('VNIs have settled', () => clock.now() > 8000)
  const { sessions, vnis, down } = asked
  const at = clock.now()
  watch.hint('session')
  await until('the question', () => asked.down > down)
  t.true(clock.now() - at < 1000)
  t.deepEqual([asked.sessions, asked.vnis], [sessions, vnis], 'nothing has changed')
  watch.hint('link')
  await until('VNIs, and again', () => asked.vnis >= vnis + 2)
  await end()
})

test('an FRR that says nothing is asked again and again', async (t) => {
  const { asked, frr, until, end } = setup()
  frr.text = undefined
  const { sessions } = asked
  await until('more readings', () => asked.sessions >= sessions + 3)
  t.pass()
  await end()
})

test('when all sessions are up and the kernel tells which end, nobody asks; while one is down somebody does', async (t) => {
  const { asked, frr, clock, watch, until, end } = setup()
  watch.endsAreTold()
  await until('VNIs have settled', () => clock.now() > 4000)
  const { down } = asked
  await until('a long time', () => clock.now() > 14_000)
  t.true(asked.down <= down + 1, `${asked.down - down} questions in 10 s`)
  frr.text = 'default ipv4Unicast 1 192.0.2.1'
  frr.state = 'Active'
  const at = clock.now()
  watch.hint('session')
  await until('it is read', () => asked.sessions > 1)
  t.true(clock.now() - at < 1000)
  const { down: then } = asked
  await until('it is asked again', () => asked.down >= then + 5)
  frr.text = ''
  frr.state = 'Established'
  const { sessions } = asked
  const before = clock.now()
  await until('that it is up is seen', () => asked.sessions > sessions)
  t.true(clock.now() - before <= 2000)
  await end()
})

test('a link that changes while nobody asks makes VNIs be read within seconds', async (t) => {
  const { asked, clock, watch, until, end } = setup()
  watch.endsAreTold()
  await until('VNIs have settled', () => clock.now() > 5000)
  const { vnis } = asked
  const at = clock.now()
  watch.hint('link')
  await until('they are read twice', () => asked.vnis >= vnis + 2)
  t.true(clock.now() - at <= 2500, String(clock.now() - at))
  await end()
})

test('links that change all the time do not put the reading of VNIs off', async (t) => {
  const { asked, clock, watch, until, end } = setup()
  watch.endsAreTold()
  await until('VNIs have settled', () => clock.now() > 5000)
  const { vnis } = asked
  const at = clock.now()
  await until('they are read', () => {
    watch.hint('link')
    return asked.vnis > vnis
  })
  t.true(clock.now() - at <= 2000, String(clock.now() - at))
  await end()
})

/** A router with these connections, of which a session is down. */
function withOneDown(...there: string[]) {
  const kernel = { there, connections: () => [...kernel.there] }
  const world = setup(kernel)
  world.frr.text = 'default ipv4Unicast 2 192.0.2.2'
  world.watch.endsAreTold()
  return { ...world, kernel }
}

test('while a session is down bgpd is left alone as long as no connection comes or goes', async (t) => {
  const { asked, frr, clock, kernel, until, end } = withOneDown()
  frr.state = 'Active'
  await until('VNIs have settled', () => clock.now() > 5000)
  const { down } = asked
  await until('a long time', () => clock.now() > 14_000)
  t.is(asked.down, down)
  kernel.there = ['a']
  const at = clock.now()
  await until('it is asked', () => asked.down > down)
  t.true(clock.now() - at <= 2000)
  const { sessions } = asked
  const { down: then } = asked
  await until('it is asked until the session is up', () => asked.down >= then + 3)
  frr.text = ''
  frr.state = 'Established'
  const before = clock.now()
  await until('that it is up is seen', () => asked.sessions > sessions)
  t.true(clock.now() - before <= 2000)
  await end()
})

test('a connection in place of another is a reason to ask, and so is one that is no session', async (t) => {
  const { asked, clock, kernel, until, end } = withOneDown('a')
  await until('VNIs have settled', () => clock.now() > 5000)
  const { down } = asked
  kernel.there = ['b']
  await until('it is asked', () => asked.down === down + 1)
  kernel.there = ['b', 'c']
  await until('it is asked again and again', () => asked.down > down + 4)
  t.pass()
  await end()
})
