import assert from 'node:assert/strict'
import { established } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import type { LabNode } from '../lab/node.ts'
import { overlayOf, routedLink } from '../lab/overlay.ts'
import { l2vni } from '../lab/resources.ts'
import { serveFabric } from '../lab/served-fabric.ts'
import type { Scenario } from '../scenario.ts'

const NEW_GATEWAY = '10.110.0.254/24'
const RFC_3339 = /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/

export const scenario: Scenario = {
  name: 'cluster-partition',
  summary: 'a node cut off from the controller goes on as it is, the others change, and it catches up by itself',
  // Processes in user-mode Linux on a busy machine.
  timeoutSeconds: 180,
  async run(lab, t) {
    // The time an agent may be away is what makes this wait.
    const { plane, watchTraffic } = await serveFabric(lab, { flags: ['--agent-grace', '5s'] })
    const [node1, node2] = [lab.node('node1'), lab.node('node2')]
    const connected = async (): Promise<{ status: string; message: string } | undefined> =>
      (await plane.get('routernodes/node1'))?.['status']?.conditions?.find(
        ({ type }: { type: string }) => type === 'Connected',
      )

    t.step('node1 is cut off')
    const traffic = watchTraffic()
    const before = await node1.agent.status()
    await plane.setReachable(node1, false)

    t.step('a new segment, and an edit of it, reach the other node')
    await plane.apply(l2vni('segment110'))
    await has(node2, '10.110.0.1')
    await plane.apply(l2vni('segment110', { gatewayIPs: [NEW_GATEWAY] }))
    await has(node2, '10.110.0.254')
    assert.doesNotMatch(await gateways(node2), /"10\.110\.0\.1"/)

    t.step('the status says who is missing, and since when')
    const away = await plane.condition('l2vnis/segment110', 'Ready', 'Unknown')
    t.note(`Ready: ${away.message}`)
    assert.match(away.message, /1 of 2 nodes ready.*node1/)
    assert.match(away.message, RFC_3339)
    assert.doesNotMatch(away.message, /node2/)
    assert.equal((await plane.get('l2vnis/segment110'))?.['status'].nodes.summary, '1/2')
    const link = await connected()
    assert.equal(link?.status, 'False')
    assert.match(link?.message ?? '', RFC_3339)
    const node2Says = (await plane.get('routernodes/node2'))?.['status'].conditions as { status: string }[]
    assert.ok(
      node2Says.every(({ status }) => status === 'True'),
      'nothing is said against node2',
    )

    t.step('node1 has what it had, and says that nobody answers')
    const alone = await eventually('node1 says so', async () => {
      const status = await node1.agent.status()
      return status.controller?.state === 'away' ? status : undefined
    })
    assert.deepEqual(alone.revision, before.revision)
    assert.equal(alone.counters.netlinkWrites, before.counters.netlinkWrites)
    assert.equal(alone.counters.frrCommands, before.counters.frrCommands)
    assert.equal(await overlayOf(node1, 110), undefined)

    t.step('its agent is restarted while cut off: it goes on from the plan on its disk')
    await node1.agent.stop()
    await plane.startAgents([node1])
    const booted = await eventually('it has the last good plan in place', async () => {
      const status = await node1.agent.status()
      const { desired, applied } = status.revision
      return desired !== undefined && desired === applied ? status : undefined
    })
    assert.equal(booted.revision.applied, before.revision.applied)
    assert.deepEqual([booted.counters.netlinkWrites, booted.counters.frrCommands], [0, 0], 'it wrote nothing')
    assert.notEqual(booted.controller?.state, 'connected')
    await established(node1.routerFrr, ['192.168.10.1'])

    t.step('healed: it catches up by itself')
    const healed = performance.now()
    await plane.setReachable(node1, true)
    await plane.condition('l2vnis/segment110', 'Ready', 'True')
    t.note(`caught up ${((performance.now() - healed) / 1000).toFixed(1)} s after the network was back`)
    await has(node1, '10.110.0.254')
    assert.equal((await plane.get('l2vnis/segment110'))?.['status'].nodes.summary, '2/2')
    await eventually('RouterNode says that it is connected', async () => (await connected())?.status === 'True')

    t.step('nothing was lost, on either node')
    t.note(`0 of ${await traffic.stop()} packets lost`)
  },
}

const gateways = async (node: LabNode): Promise<string> =>
  JSON.stringify(await node.router.show('addr', 'show', 'dev', routedLink(node, 110)))

/** The segment's link has this address. */
async function has(node: LabNode, address: string): Promise<void> {
  await eventually(`${node.name} has the gateway ${address}`, async () =>
    (await gateways(node)).includes(`"${address}"`),
  )
}
