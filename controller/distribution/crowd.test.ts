import test from 'ava'
import { FakeVersion, piece, stage, until } from './stage.ts'

const NODES = 1000
const BOUND_MS = 100_000

test('a thousand agents: one change is on all of them soon, and a session costs little', async (t) => {
  t.timeout(4 * BOUND_MS)
  const { dial, plans, events, distribution, metric, registry } = await stage(t)
  const shared = Array.from({ length: 200 }, (_, at) => piece(`segment/${at}`, `segment ${at} `.repeat(30)))
  const extra = piece('segment/1000', 'one more VNI')
  const nodes = Array.from({ length: NODES }, (_, at) => `n${at}`)
  for (const node of nodes) plans.set(node, new FakeVersion(node, `${node}-r1`, [piece('router', node), ...shared]))
  const before = process.memoryUsage().rss
  const agents = nodes.map((node) => dial(node, { revision: `${node}-r1` }))
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
