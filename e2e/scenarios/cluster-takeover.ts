import assert from 'node:assert/strict'
import { reaches, established, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { frrConfiguration } from '../lab/node-state.ts'
import { routedLink } from '../lab/overlay.ts'
import { l3vni, underlay } from '../lab/resources.ts'
import { watchSessions } from '../lab/session-watch.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

const SESSIONS = ['192.169.10.1', 'fd00:c9:10::1', '192.169.20.1', 'fd00:c9:20::1']

export const scenario: Scenario = {
  name: 'cluster-takeover',
  summary: 'a node that booted from files is taken over by the API without a write or a lost packet; the API wins',
  // Processes in user-mode Linux on a busy machine.
  timeoutSeconds: 180,
  async run(lab, t) {
    const [node1, node2] = [lab.node('node1'), lab.node('node2')]

    t.step('before Kubernetes: node1 boots from files')
    await node1.writeConfig({ 'underlay.yaml': underlay(), 'vpns.yaml': [l3vni('red'), l3vni('blue')] })
    await node1.agent.start()
    await ready([node1])
    await established(await startFrrSpeaker(node1, ['red', 'blue']), SESSIONS)
    const flows = (['red', 'blue'] as const).flatMap((vpn) =>
      announcedBy('node1', vpn).map((address) => ({ from: lab.ns(`host${vpn}`), address })),
    )
    for (const { from, address } of flows) await reaches(from, [address])
    const pingers = flows.map(({ from, address }) => from.pinger(address, { interval: 0.05 }))
    const watches = await Promise.all(['default', 'red', 'blue'].map((vrf) => watchSessions(node1.routerFrr, vrf)))
    const configuration = await frrConfiguration(node1)
    const { revision: own } = await node1.agent.status()
    const untouched = (): Promise<unknown> =>
      eventually('node1 has what it had', async () => {
        const { counters, revision, resources } = await node1.agent.status()
        assert.deepEqual([counters.netlinkWrites, counters.frrCommands], [0, 0], 'netlink writes, FRR commands')
        assert.ok(resources.length === 3 && resources.every(({ state }) => state === 'Ready'))
        return revision.applied === own.applied && revision.desired === own.applied
      })

    t.step('the cluster comes, and its agent in place of the one before')
    const plane = await lab.startControlPlane()
    await node1.agent.stop()
    await plane.startAgents(lab.nodes)
    await eventually('node1 is connected', async () => {
      const { controller } = await node1.agent.status()
      return controller?.state === 'connected'
    })
    await untouched()

    t.step('the API is given what the files hold, one object after the other')
    for (const [what, object] of [
      ['underlays/fabric', underlay()],
      ['l3vnis/red', l3vni('red')],
    ] as const) {
      await plane.apply(object)
      await plane.condition(what, 'Ready', 'True')
      await untouched()
    }
    await eventually('the plan is the API’s and the files’ together', async () => {
      const { revision, resources } = await node1.agent.status()
      return revision.from === 'controller' && resources.length === 3 && revision.desired === revision.applied
    })
    await untouched()
    const { problems, refused, addresses } = await node1.agent.status()
    assert.deepEqual([problems, refused], [[], []], 'nothing contradicts')
    const routerNode = await plane.get('routernodes/node1')
    assert.deepEqual(routerNode?.['spec'].addresses.vteps, addresses.vteps)
    assert.deepEqual(await frrConfiguration(node1), configuration)
    for (const watch of watches) await watch.check()
    const results = await Promise.all(pingers.map((pinger) => pinger.stop()))
    assert.deepEqual(
      results.map(({ lost }) => lost),
      results.map(() => 0),
    )
    t.note(
      `taken over with 0 netlink writes and 0 FRR commands; ` +
        `0 of ${results.reduce((sum, { sent }) => sum + sent, 0)} packets lost`,
    )

    t.step('what only the files have stays on node1 alone; node2 has what the API says')
    await reaches(lab.ns('hostblue'), announcedBy('node1', 'blue'))
    assert.deepEqual((await node2.agent.status()).resources.map(({ kind, name }) => `${kind}/${name}`).toSorted(), [
      'L3VNI/red',
      'Underlay/fabric',
    ])

    t.step('the API contradicts: the same name with other words, and a VNI that the files have given away')
    await plane.apply(l3vni('red', { mtu: 1400 }), l3vni('green', { vni: 200 }))
    for (const what of ['l3vnis/red', 'l3vnis/green']) await plane.condition(what, 'Ready', 'True')
    const told = await eventually('nodeleaf status names both', async () => {
      const { stdout } = await node1.agent.cli('status')
      return /L3VNI\/red of the files/.test(stdout) && /L3VNI\/blue of the files/.test(stdout) ? stdout : undefined
    })
    for (const line of told.split('\n').filter((each) => each.includes('of the files'))) t.note(line.trim())
    const names = (await node1.agent.status()).resources.map(({ kind, name }) => `${kind}/${name}`)
    assert.deepEqual(names.toSorted(), ['L3VNI/green', 'L3VNI/red', 'Underlay/fabric'])
    const vnis = (await node1.routerFrr.zebra('show evpn vni json')) as Record<string, { tenantVrf?: string }>
    assert.equal(vnis['200']?.tenantVrf, 'green', 'the API has VNI 200')
    assert.equal((await node1.router.link(routedLink(node1, 100)))?.mtu, 1400, "the API's red")
    const said = await eventually('the RouterNode says it', async () => {
      const conditions = ((await plane.get('routernodes/node1'))?.['status'].conditions ?? []) as {
        type: string
        status: string
        message: string
      }[]
      return conditions.find(({ type, message }) => type === 'Ready' && message.includes('of the files'))
    })
    assert.equal(said.status, 'True')
    t.note(`RouterNode: ${said.message}`)
    await reaches(lab.ns('hostred'), announcedBy('node1', 'red'))

    t.step('the conflict ends with what caused it')
    await plane.delete('l3vnis/green')
    await plane.apply(l3vni('red'))
    await ready(lab.nodes)
    await established(await startFrrSpeaker(node1, ['red', 'blue']), SESSIONS)
    for (const { from, address } of flows) await reaches(from, [address])
    await eventually('the RouterNode is content', async () => {
      const conditions = ((await plane.get('routernodes/node1'))?.['status'].conditions ?? []) as { message: string }[]
      return conditions.length > 0 && conditions.every(({ message }) => !message.includes('of the files'))
    })
  },
}
