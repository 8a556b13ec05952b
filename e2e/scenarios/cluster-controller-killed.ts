import assert from 'node:assert/strict'
import { eventually } from '../lab/eventually.ts'
import { l2vni } from '../lab/resources.ts'
import { serveFabric } from '../lab/served-fabric.ts'
import type { Scenario } from '../scenario.ts'

const SEGMENTS = Array.from({ length: 12 }, (_, at) => l2vni(`segment${500 + at}`, { vni: 500 + at }))

export const scenario: Scenario = {
  name: 'cluster-controller-killed',
  summary: 'the controller dies in the middle of a change and comes back: nothing drops, the change is completed',
  async run(lab, t) {
    const { plane, watchTraffic, watchWrites } = await serveFabric(lab)
    const [controller] = plane.controllers
    if (controller === undefined) throw new Error('no controller')

    t.step('killed while nothing changes: agents come back to it and write nothing')
    const traffic = watchTraffic()
    const writes = await watchWrites()
    await controller.process.end('SIGKILL')
    await Promise.all(
      lab.nodes.map((node) =>
        eventually(`${node.name} says that the controller is away`, async () => {
          const { controller: link, resources } = await node.agent.status()
          assert.ok(resources.every(({ state }) => state === 'Ready'))
          return link !== undefined && link.state !== 'connected'
        }),
      ),
    )
    const began = performance.now()
    await controller.start()
    for (const node of lab.nodes) {
      await eventually(
        `${node.name} is connected`,
        async () => (await node.agent.status()).controller?.state === 'connected',
        {
          timeoutMs: 120_000,
        },
      )
    }
    t.note(
      `agents are connected ${((performance.now() - began) / 1000).toFixed(1)} s after the start of the controller`,
    )
    await writes.check()
    await plane.condition('l3vnis/red', 'Ready', 'True')
    await writes.check()

    t.step('killed in the middle of a change')
    for (const [at, segment] of SEGMENTS.entries()) {
      await plane.apply(segment)
      if (at === 5) await controller.process.end('SIGKILL')
      // Without a webhook nothing new is let in: what exists may still be deleted.
      if (at === 5) break
    }
    await assert.rejects(plane.apply(l2vni('late', { vni: 599 })), /webhook/, 'failurePolicy is Fail')
    await plane.delete('l2vnis/segment500')
    await controller.start()
    await plane.apply(...SEGMENTS.slice(6))
    for (const { metadata } of SEGMENTS.slice(1)) await plane.condition(`l2vnis/${metadata.name}`, 'Ready', 'True')
    for (const node of lab.nodes) {
      const { vnis } = await node.agent.status()
      const found = vnis.map(({ vni }) => vni).filter((vni) => vni >= 500)
      assert.deepEqual(
        found.toSorted((a, b) => a - b),
        SEGMENTS.slice(1).map(({ spec }) => spec.vni),
        node.name,
      )
    }

    t.step('nothing was lost')
    t.note(`0 of ${await traffic.stop()} packets lost`)
  },
}
