import test from 'ava'
import type { SimulatedAgent } from '../../e2e/peers/simulated-agent.ts'
import { FakeVersion, piece, stage, until } from './stage.ts'

const NODES = 1000
const BOUND_MS = 100_000
/** Both ends of a thousand connections are this process: on a slow machine each waits long for its turn. */
const PATIENT = { helloMs: BOUND_MS, pongMs: BOUND_MS }
/** So many dial at a time: a handshake has a bound too, and nobody here dials twice. */
const DIALS = 100

/** @throws when its stream ends */
async function sentAway({ ended }: SimulatedAgent): Promise<never> {
  const { code, details } = await ended
  throw new Error(`an agent was sent away: ${code} ${details}`)
}

test('a thousand agents: one change is on all of them soon, and a session costs little', async (t) => {
  t.timeout(8 * BOUND_MS)
  const { dial, plans, events, distribution, metric, registry } = await stage(t, { bounds: PATIENT })
  const shared = Array.from({ length: 200 }, (_, at) => piece(`segment/${at}`, `segment ${at} `.repeat(30)))
  const extra = piece('segment/1000', 'one more VNI')
  const nodes = Array.from({ length: NODES }, (_, at) => `n${at}`)
  for (const node of nodes) plans.set(node, new FakeVersion(node, `${node}-r1`, [piece('router', node), ...shared]))
  const before = process.memoryUsage().rss
  const agents: SimulatedAgent[] = []
  for (let from = 0; from < NODES; from += DIALS) {
    for (const node of nodes.slice(from, from + DIALS))
      agents.push(dial(node, { revision: `${node}-r1`, pongMs: BOUND_MS }))
    const come = until(() => distribution.connected.size === agents.length, `${agents.length} have come`, BOUND_MS)
    await Promise.race([come, ...agents.slice(from).map(sentAway)])
  }
  await until(async () => (await metric('nodeleaf_plan_unchanged_total')) === NODES, 'all have come', BOUND_MS)
  const rss = process.memoryUsage().rss - before
  t.is(await metric('nodeleaf_plan_bytes_sent_total'), 0)

  const started = performance.now()
  for (const node of nodes)
    plans.set(node, new FakeVersion(node, `${node}-r2`, [piece('router', node), ...shared, extra]))
  distribution.changed(nodes)
  await until(() => agents.every((agent) => agent.revision.endsWith('-r2')), 'all have it', BOUND_MS)
  const last = Math.max(...agents.map((agent) => agent.acknowledgedMs)) - started
  await until(
    () => events.filter((each) => each.startsWith('acknowledged')).length === NODES,
    'all have acknowledged',
    BOUND_MS,
  )
  const bytes = await metric('nodeleaf_plan_bytes_sent_total')
  t.is(agents.filter((agent) => agent.updates.length === 1).length, NODES)
  t.true(bytes < NODES * 1000, `${bytes} bytes`)
  t.true((await registry.metrics()).includes(`nodeleaf_agents_connected ${NODES}`))
  t.log(
    `1,000 agents: ${Math.round(rss / NODES / 1024)} KiB each for both ends, the last one after ${Math.round(last)} ms`,
  )
})
