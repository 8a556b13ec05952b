import assert from 'node:assert/strict'
import { eventually } from '../lab/eventually.ts'
import { addNode } from '../control-plane/cluster.ts'
import { serveFabric } from '../lab/served-fabric.ts'
import type { ControlPlane } from '../lab/control-plane.ts'
import type { Scenario } from '../scenario.ts'

export const scenario: Scenario = {
  name: 'cluster-nodes',
  summary: 'nodes come and go: a number belongs to one node, and rests when that has gone',
  async run(lab, t) {
    const { plane, watchTraffic, watchWrites } = await serveFabric(lab)
    const [traffic, writes] = [watchTraffic(), await watchWrites()]

    t.step('a node comes')
    await addNode(plane.client, 'node3')
    const third = await number(plane, 'node3')
    assert.deepEqual(third, { index: 2, vteps: ['100.65.0.3'] })
    const red = await plane.condition('l3vnis/red', 'Ready', 'False')
    assert.match(red.message, /node3/, 'its agent never came, and the status names it')

    t.step('it goes: its RouterNode too, and its number rests')
    await plane.delete('nodes/node3')
    await eventually('RouterNode node3 is gone', async () => (await plane.get('routernodes/node3')) === undefined)
    await plane.condition('l3vnis/red', 'Ready', 'True')
    await addNode(plane.client, 'node4')
    assert.deepEqual(await number(plane, 'node4'), { index: 3, vteps: ['100.65.0.4'] }, 'not the number of node3')

    t.step('the controller forgets nothing when it restarts')
    const [controller] = plane.controllers
    await controller?.process.end('SIGKILL')
    await plane.delete('nodes/node4')
    await controller?.start()
    await addNode(plane.client, 'node5')
    assert.deepEqual(await number(plane, 'node5'), { index: 4, vteps: ['100.65.0.5'] }, 'not the number of node4')

    t.step('a node that comes back has its own number again')
    await addNode(plane.client, 'node3')
    assert.deepEqual(await number(plane, 'node3'), third)

    t.step('all as it was')
    for (const name of ['node3', 'node5']) await plane.delete(`nodes/${name}`)
    await plane.condition('l3vnis/red', 'Ready', 'True')

    t.step('none of it touched the nodes that stayed')
    await writes.check()
    t.note(`0 of ${await traffic.stop()} packets lost`)
  },
}

/** What a node was given, once it was. */
async function number(plane: ControlPlane, node: string): Promise<{ index: number; vteps: string[] }> {
  return eventually(`${node} has a number`, async () => {
    const spec = (await plane.get(`routernodes/${node}`))?.['spec']
    return spec?.addresses?.vteps === undefined ? null : { index: spec.index, vteps: spec.addresses.vteps }
  })
}
