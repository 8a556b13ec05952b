import assert from 'node:assert/strict'
import { consistently, eventually } from '../lab/eventually.ts'
import { l2vni } from '../lab/resources.ts'
import { serveFabric } from '../lab/served-fabric.ts'
import type { Scenario } from '../scenario.ts'

const AWAY_MS = 60_000

export const scenario: Scenario = {
  name: 'cluster-api-away',
  summary:
    'the API server is away for a minute, then frozen: nothing drops, nothing flaps, what came meanwhile is done',
  timeoutSeconds: 300,
  async run(lab, t) {
    const { plane, watchTraffic, watchWrites } = await serveFabric(lab)
    const [node1] = [lab.node('node1')]
    const traffic = watchTraffic()
    const writes = await watchWrites()
    const since = async (): Promise<string[]> => {
      const all = await Promise.all(['underlays/fabric', 'l3vnis/red'].map((what) => plane.get(what)))
      return all.flatMap((each) =>
        ((each?.['status']?.conditions ?? []) as { lastTransitionTime: string }[]).map((one) => one.lastTransitionTime),
      )
    }
    const transitions = await since()

    t.step('away for a minute')
    await plane.apiServer.end('SIGKILL')
    await consistently(
      'the nodes stay as they are',
      async () => {
        const { resources } = await node1.agent.status()
        return resources.every(({ state }) => state === 'Ready')
      },
      { forMs: AWAY_MS, everyMs: 5000 },
    )
    await writes.check()

    t.step('back: all settles without a write')
    const began = performance.now()
    await plane.startApiServer()
    await plane.setEndpoints(plane.controllers)
    await eventually('somebody leads', () => plane.leader())
    for (const node of lab.nodes) {
      await eventually(
        `${node.name} is connected`,
        async () => (await node.agent.status()).controller?.state === 'connected',
        {
          timeoutMs: 120_000,
        },
      )
    }
    t.note(`agents are served again ${((performance.now() - began) / 1000).toFixed(1)} s after the API server is back`)
    await writes.check()

    t.step('a change works')
    await eventually('the webhook answers again', async () => {
      await plane.apply(l2vni('segment700', { vni: 700 }))
      return true
    })
    await plane.condition('l2vnis/segment700', 'Ready', 'True')
    assert.deepEqual(await since(), transitions, 'no condition went to and fro')

    t.step('frozen: connections stand and say nothing')
    await plane.order({ do: 'freeze', forMs: 15_000 })
    await plane.condition('l3vnis/red', 'Ready', 'True')
    await plane.apply(l2vni('segment701', { vni: 701 }))
    await plane.condition('l2vnis/segment701', 'Ready', 'True')

    t.step('nothing was lost')
    t.note(`0 of ${await traffic.stop()} packets lost`)
  },
}
