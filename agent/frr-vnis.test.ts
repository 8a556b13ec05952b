import test from 'ava'
import { caughtUp, knowsPort, settle } from './frr-vnis.ts'

const { signal } = new AbortController()

/** A zebra that needs `answerMs` for each answer, and knows as many VNIs as `has` says for the time; how it was asked. */
async function followed(answerMs: number, has: (ms: number) => number): Promise<{ ms: number; questions: number }> {
  let [ms, questions] = [0, 0]
  const clock = {
    now: () => ms,
    wait: async (pause: number) => {
      ms += pause
    },
  }
  const count = (): number => {
    questions++
    ms += answerMs
    return has(ms)
  }
  const vni = (number: number) => ({ vni: number, type: 'L2' as const })
  const zebra = {
    vniCount: async () => count(),
    evpnVnis: async () => Array.from({ length: count() }, (_, at) => ({ ...vni(at), ...rest })),
    vrfVnis: async () => [],
  }
  const asked = Array.from({ length: 100 }, (_, at) => ({ ...vni(at), of: {} as never }))
  await caughtUp(zebra, asked, signal, clock)
  return { ms, questions }
}

const rest = { vrf: '', vxlanInterface: '', remoteVteps: [], macs: 0, arps: 0 }

test('a zebra that needs long for an answer has other things to do: it is waited for', async (t) => {
  const { ms } = await followed(10_000, (at) => (at < 30_000 ? 10 : 100))
  t.true(ms >= 30_000)
})

test('a zebra that answers and learns nothing more is not waited for', async (t) => {
  const { ms } = await followed(1, () => 10)
  t.true(ms < 5000)
})

test('a zebra that never has them all does not hold up what follows, however slow it is', async (t) => {
  const { questions } = await followed(60_000, () => 10)
  t.true(questions < 10)
})

test('questions take at most half of the time of a zebra that is behind', async (t) => {
  const { ms, questions } = await followed(400, (at) => Math.floor(at / 1000))
  t.true(ms >= 100_000)
  t.true(questions * 400 <= ms / 2 + 400)
})

/** Whether a zebra is found to know the port, which answers from `after` ms on that it is in `bridge`. */
async function portKnown(after: number, bridge: string): Promise<{ known: boolean; ms: number }> {
  let ms = 0
  const clock = {
    now: () => ms,
    wait: async (pause: number) => {
      ms += pause
    },
  }
  const zebra = { bridgeOf: async () => (ms < after ? 'br110' : bridge) }
  return { known: await knowsPort(zebra, { name: 'pe-110', index: 7, bridge: 'nlbr0' }, signal, clock), ms }
}

test('a port is known when zebra has it in its new bridge, not while it has it in the old one', async (t) => {
  const { known, ms } = await portKnown(500, 'nlbr0')
  t.true(known)
  t.true(ms >= 500)
})

test('a port that zebra does not get to know is waited for no longer than a bounded time', async (t) => {
  const { known, ms } = await portKnown(500, 'br-other')
  t.false(known)
  t.true(ms < 5000)
})

test('VNIs that were entered are waited for until zebra has them; that it never has is told', async (t) => {
  let ms = 0
  const clock = {
    now: () => ms,
    wait: async (pause: number) => {
      ms += pause
    },
  }
  const command = { context: ['vrf red'], line: 'vni 100', undo: [], daemons: ['mgmtd'] } as const
  const results = [{ command, outcome: 'ok', text: '' }] as const
  const vni = { vrf: 'red', vni: 100, vxlanInterface: '', sviInterface: '', state: '', routerMAC: '' }
  const from = (after: number) => ({ vrfVnis: async () => (ms < after ? [] : [vni]) })
  t.true(await settle(from(2000), results, signal, clock))
  t.true(ms >= 2000)
  t.false(await settle(from(Infinity), results, signal, clock))
  t.true(ms < 10_000)
  t.true(await settle(from(Infinity), [{ command, outcome: 'refused', text: '' }], signal, clock))
})
