import assert from 'node:assert/strict'
import { established, reaches } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { hasNothingOf, routedLink } from '../lab/overlay.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

export const scenario: Scenario = {
  name: 'cluster-apply',
  summary: 'kubectl apply, edit and delete: seconds later every node does so, and the status says what is true',
  async run(lab, t) {
    const plane = await lab.startControlPlane()
    const [node1, node2] = [lab.node('node1'), lab.node('node2')]
    await plane.startAgents(lab.nodes)

    t.step('applied before there is an Underlay: not Ready, and why')
    await plane.apply(l3vni('red'))
    const waiting = await plane.condition('l3vnis/red', 'Ready', 'False')
    assert.match(waiting.message, /Underlay/)

    t.step('apply to Ready')
    const began = performance.now()
    await plane.apply(underlay(), l2vni('segment110'))
    for (const what of ['underlays/fabric', 'l3vnis/red', 'l2vnis/segment110']) {
      await plane.condition(what, 'Accepted', 'True')
      await plane.condition(what, 'Ready', 'True')
    }
    t.note(`Ready on both nodes ${((performance.now() - began) / 1000).toFixed(1)} s after apply`)
    assert.equal((await plane.get('l3vnis/red'))?.['status'].nodes.summary, '2/2')

    t.step('traffic')
    const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red'])))
    await Promise.all(speakers.map((speaker) => established(speaker, ['192.169.10.1', 'fd00:c9:10::1'])))
    await reaches(lab.ns('hostred'), [...announcedBy('node1', 'red'), ...announcedBy('node2', 'red')])
    const workload = { bridge: 'br-hs-110', addresses: ['10.110.0.11/24', 'fd00:110::11/64'] }
    await addWorkload(lab, node1, { name: 'w1', ...workload })
    await reaches(lab.ns('hostl2'), ['10.110.0.11', 'fd00:110::11'])

    t.step('RouterNode says how the node fares')
    await eventually('sessions and VNIs', async () => {
      const { spec, status } = (await plane.get('routernodes/node1')) ?? { spec: undefined, status: undefined }
      assert.equal(spec?.index, 0)
      assert.deepEqual(spec?.addresses?.vteps, ['100.65.0.1'])
      assert.equal(status?.revision?.applied, status?.revision?.desired)
      const up = (status?.sessions ?? []).filter(({ state }: { state: string }) => state === 'Established')
      assert.deepEqual(
        up.map(({ peer, vrf = '' }: { peer: string; vrf?: string }) => `${peer} ${vrf}`.trim()).toSorted(),
        ['192.168.10.1', '192.169.10.2 red', 'fd00:10::1', 'fd00:c9:10::2 red'],
      )
      assert.deepEqual(status?.vnis?.map(({ vni }: { vni: number }) => vni).toSorted(), [100, 110])
      return true
    })

    t.step('a session that ends is in RouterNode within seconds')
    const down = performance.now()
    await speakers[0]?.kill(['bgpd'])
    await eventually(
      'the session is not Established',
      async () => {
        const sessions = (await plane.get('routernodes/node1'))?.['status'].sessions as {
          peer: string
          state: string
        }[]
        return sessions.some(({ peer, state }) => peer === '192.169.10.2' && state !== 'Established')
      },
      { everyMs: 50 },
    )
    t.note(`session state in RouterNode ${Math.round(performance.now() - down)} ms after the speaker died`)

    t.step('an edit: another gateway')
    const gateway = '10.110.0.254/24'
    await plane.apply(l2vni('segment110', { gatewayIPs: [gateway] }))
    await plane.condition('l2vnis/segment110', 'Ready', 'True')
    for (const node of [node1, node2]) {
      const addresses = await node.router.show('addr', 'show', 'dev', routedLink(node, 110))
      const text = JSON.stringify(addresses)
      assert.match(text, /10\.110\.0\.254/, node.name)
      assert.doesNotMatch(text, /"10\.110\.0\.1"/, node.name)
    }

    t.step('what contradicts is refused at the door, naming both')
    await assert.rejects(plane.apply(l2vni('thief', { vni: 100 })), /L2VNI\/thief.*L3VNI\/red|L3VNI\/red/s)

    t.step('delete')
    await plane.delete('l2vnis/segment110')
    await plane.delete('l3vnis/red')
    for (const node of [node1, node2]) {
      await eventually(`nothing is left on ${node.name}`, async () => {
        await hasNothingOf(node, [100, 110])
        return (await node.router.link('red')) === undefined
      })
    }
  },
}
