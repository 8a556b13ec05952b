import assert from 'node:assert/strict'
import { established, hasEvpnRoutes, nextHops, reaches, ready, typeFive } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

export const scenario: Scenario = {
  name: 'l3-host-routes',
  summary:
    "what a host announces (/32, /128) is reached from the other node's host and from the remote leaf's, and back",
  async run(lab, t) {
    const [node1, node2, leaf] = [lab.node('node1'), lab.node('node2'), lab.router('leaf')]

    t.step('the agents apply Underlay and L3VNI')
    await lab.writeConfig({ 'underlay.yaml': underlay(), 'red.yaml': l3vni('red') })
    await lab.startAgents()
    await ready(lab.nodes)

    t.step('the hosts have sessions with their routers')
    const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red'])))
    await Promise.all(speakers.map((speaker) => established(speaker, ['192.169.10.1', 'fd00:c9:10::1'])))

    t.step('what they announce are type-5 routes at the leaf')
    for (const [node, vtep] of [
      [node1, '100.65.0.1'],
      [node2, '100.65.0.2'],
    ] as const) {
      const [v4, v6] = announcedBy(node.name, 'red')
      await hasEvpnRoutes(leaf, [typeFive(`${v4}/32`), typeFive(`${v6}/128`)], vtep)
      for (const prefix of [`${v4}/32`, `${v6}/128`]) {
        const hop = prefix.includes(':') ? `::ffff:${vtep}` : vtep
        await eventually(`the leaf routes ${prefix} over VNI 100`, async () => {
          const hops = await nextHops(leaf, prefix, 'red')
          if (hops.join() !== `${hop} br100`) throw new Error(`it routes to ${hops.join() || 'nowhere'}`)
          return true
        })
      }
    }

    t.step('and routes of the VRF in the hosts, not of the underlay')
    const [v4, v6] = announcedBy('node2', 'red')
    for (const prefix of [v4, `${v6}`, '10.10.0.0/24', 'fd00:a::/64']) {
      await eventually(`node1's host has a route to ${prefix}`, async () =>
        (await node1.routes()).some(({ dst }) => dst === prefix),
      )
    }
    const learnt = (await node1.routes()).map(({ dst }) => dst as string)
    assert.deepEqual(
      learnt.filter((dst) => dst.startsWith('100.6')),
      [],
      'VTEP addresses are no business of the host',
    )

    t.step('hosts reach each other, and the leaf')
    const from1 = announcedBy('node1', 'red')
    const from2 = announcedBy('node2', 'red')
    for (const [at, family] of ([0, 1] as const).entries()) {
      await reaches(node1, [from2[family]], { from: from1[family] })
      await reaches(node2, [from1[family]], { from: from2[family] })
      const hostred = ['10.10.0.2', 'fd00:a::2'][at] ?? ''
      await reaches(node1, [hostred], { from: from1[family] })
      await reaches(node2, [hostred], { from: from2[family] })
    }
    await reaches(lab.ns('hostred'), [...from1, ...from2])

    t.step("without a source address of the speaker's: the session's own address is announced too")
    await reaches(node1, ['10.10.0.2', 'fd00:a::2', ...from2])
    await reaches(lab.ns('hostred'), ['192.169.10.2', '192.169.10.3', 'fd00:c9:10::2', 'fd00:c9:10::3'])

    t.step('full packets fit: the overlay has the MTU of the underlay less 50')
    await reaches(node1, ['10.10.0.2'], { size: 9450 - 28 })

    t.step('what is withdrawn is gone everywhere')
    const [speaker] = speakers
    await speaker?.configure('router bgp 64515', 'address-family ipv4 unicast', `no network ${from1[0]}/32`)
    await eventually('the leaf has no route to it', async () => {
      return (await nextHops(leaf, `${from1[0]}/32`, 'red')).length === 0
    })
    await reaches(lab.ns('hostred'), [from1[1]])
  },
}
