import assert from 'node:assert/strict'
import type { Controller, ControlPlane } from '../lab/control-plane.ts'
import { eventually } from '../lab/eventually.ts'
import { l2vni } from '../lab/resources.ts'
import { serveFabric } from '../lab/served-fabric.ts'
import type { Scenario } from '../scenario.ts'

/** What the issue allows from the end of a leader until the next one serves. */
const TAKEOVER_MS = 15_000

export const scenario: Scenario = {
  name: 'cluster-failover',
  summary: 'the leader dies, hangs, or goes: the other replica takes over, and no node changes anything for it',
  timeoutSeconds: 240,
  async run(lab, t) {
    const { plane, watchTraffic, watchWrites } = await serveFabric(lab, { replicas: 2 })
    const traffic = watchTraffic()
    const writes = await watchWrites()

    /** Waits until another one leads and both agents are with it; no node has written. */
    const takesOver = async (from: Controller, what: string): Promise<Controller> => {
      const began = performance.now()
      const next = await eventually('another one leads', async () => other(plane, from), { everyMs: 100 })
      const tookMs = performance.now() - began
      for (const node of lab.nodes) {
        await eventually(`the agent of ${node.name} is with ${next.name}`, async () => {
          const { controller } = await node.agent.status()
          if (controller?.state !== 'connected') throw new Error(JSON.stringify(controller))
          return (await next.metrics()).includes('nodeleaf_agents_connected 2')
        })
      }
      t.note(
        `${what}: another one leads after ${(tookMs / 1000).toFixed(1)} s, ` +
          `both agents are with it after ${((performance.now() - began) / 1000).toFixed(1)} s`,
      )
      assert.ok(tookMs <= TAKEOVER_MS, `${tookMs} ms without a leader`)
      await writes.check()
      return next
    }

    t.step('the leader dies')
    const first = await eventually('somebody leads', () => plane.leader())
    await first.process.end('SIGKILL')
    const second = await takesOver(first, 'killed')
    await first.start()

    t.step('the leader hangs, and wakes up again when another one leads')
    second.process.freeze()
    const third = await takesOver(second, 'frozen')
    second.process.thaw()
    await eventually('the one that slept has stepped down', async () =>
      (await second.metrics()).includes('nodeleaf_controller_leads 0'),
    )
    assert.match(await third.metrics(), /nodeleaf_controller_leads 1/)

    t.step('a leader that is stopped hands over, and a change goes on under the next')
    const applied = Promise.all([600, 601, 602].map((vni) => plane.apply(l2vni(`segment${vni}`, { vni }))))
    const stopped = third.process.end('SIGTERM')
    await plane.setEndpoints(plane.controllers.filter((each) => each !== third))
    await Promise.all([applied, stopped])
    await eventually('another one leads', () => other(plane, third))
    for (const vni of [600, 601, 602]) await plane.condition(`l2vnis/segment${vni}`, 'Ready', 'True')

    t.step('nothing was lost')
    t.note(`0 of ${await traffic.stop()} packets lost`)
  },
}

async function other(plane: ControlPlane, than: Controller): Promise<Controller | undefined> {
  const leader = await plane.leader()
  return leader === than ? undefined : leader
}
