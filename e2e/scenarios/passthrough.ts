import assert from 'node:assert/strict'
import { startCapture } from '../lab/capture.ts'
import { established, nextHops, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { l3vni, passthrough, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

const PEERS = ['192.169.5.1', 'fd00:c9:5::1']

export const scenario: Scenario = {
  name: 'passthrough',
  summary: 'a session between host and fabric without encapsulation, beside a VPN of the same host',
  async run(lab, t) {
    const [node1, node2, leaf] = [lab.node('node1'), lab.node('node2'), lab.router('leaf')]

    t.step('the agents apply passthrough and a VPN')
    await lab.writeConfig({ 'underlay.yaml': underlay(), 'host.yaml': [passthrough(), l3vni('red')] })
    await lab.startAgents()
    await ready(lab.nodes)
    const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['passthrough', 'red'])))
    await Promise.all(speakers.map((speaker) => established(speaker, [...PEERS, '192.169.10.1', 'fd00:c9:10::1'])))

    t.step('what the host announces is in the fabric')
    const [own4, own6] = announcedBy('node1', 'passthrough')
    const [far4, far6] = announcedBy('node2', 'passthrough')
    for (const prefix of [`${own4}/32`, `${own6}/128`, `${far4}/32`, `${far6}/128`]) {
      for (const router of ['spine', 'leaf']) {
        await eventually(`${router} has a route to ${prefix}`, async () => {
          return (await nextHops(lab.router(router), prefix)).length === 1
        })
      }
    }

    t.step('the host knows the fabric, by its router')
    for (const prefix of ['100.64.0.10', far4, far6]) {
      await eventually(`node1's host has a route to ${prefix}`, async () =>
        (await node1.routes()).some(({ dst, dev }) => dst === prefix && dev === 'host-pt'),
      )
    }

    t.step('host and fabric reach each other')
    await reaches(node1, ['100.64.0.10'], { from: own4 })
    await reaches(lab.ns('leaf'), [own4, far4], { from: '100.64.0.10' })
    await reaches(node1, [far4], { from: own4 })
    await reaches(node2, [own6], { from: far6 })

    t.step('without encapsulation')
    const capture = await startCapture(node1.router, 'eth1', 'icmp or icmp6 or udp port 4789')
    await reaches(node1, [far4], { from: own4 })
    await reaches(node1, [far6], { from: own6 })
    await eventually('the NIC carries the packets as they are', () => {
      const plain = capture.lines().filter((line) => line.includes('echo request'))
      return [`IP ${own4} > ${far4}:`, `IP6 ${own6} > ${far6}:`].every((text) =>
        plain.some((line) => line.includes(text)),
      )
    })
    const lines = await capture.stop()
    assert.ok(!lines.some((line) => line.includes('VXLAN')), 'no VXLAN on the NIC')

    t.step('the VPN of the same host is another network')
    await reaches(lab.ns('hostred'), [...announcedBy('node1', 'red'), ...announcedBy('node2', 'red')])
    assert.deepEqual(await nextHops(node1.routerFrr, `${far4}/32`, 'red'), [], 'no passthrough route in red')
    assert.deepEqual(await nextHops(leaf, `${announcedBy('node1', 'red')[0]}/32`), [], 'no route of red in the fabric')
  },
}
