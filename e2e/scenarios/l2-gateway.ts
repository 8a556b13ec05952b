import assert from 'node:assert/strict'
import { doesNotReach, established, hasEvpnRoutes, reaches, ready, typeTwo } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { routedLink } from '../lab/overlay.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Namespace } from '../lab/namespace.ts'
import type { Scenario } from '../scenario.ts'

const GATEWAYS = ['10.110.0.1', 'fd00:110::1']
/** 02:6e:6c and the VNI: a function of the VNI alone, so the leaf of the demo can have it too. */
const GATEWAY_MAC = '02:6e:6c:00:00:6e'

export const scenario: Scenario = {
  name: 'l2-gateway',
  summary: 'anycast gateway with one MAC everywhere; a layer 2 host reaches the remote leaf’s layer 3 host, and back',
  async run(lab, t) {
    const [node1, node2, leaf] = [lab.node('node1'), lab.node('node2'), lab.router('leaf')]
    const hostred = lab.ns('hostred')

    t.step('the agents apply the VPN and a segment in it')
    await lab.writeConfig({ 'underlay.yaml': underlay(), 'red.yaml': [l3vni('red'), l2vni('segment110')] })
    await lab.startAgents()
    await ready(lab.nodes)
    const workload = (node: typeof node1, name: string, number: number) =>
      addWorkload(lab, node, {
        name,
        bridge: 'br-hs-110',
        addresses: [`10.110.0.${number}/24`, `fd00:110::${number}/64`],
        gateways: GATEWAYS,
      })
    const w1 = await workload(node1, 'w1', 11)
    const w2 = await workload(node2, 'w2', 12)

    t.step('the gateway answers on every node with the same MAC')
    for (const host of [w1, w2, lab.ns('hostl2')]) {
      await reaches(host, GATEWAYS)
      for (const gateway of GATEWAYS) {
        assert.equal(await macOf(host, gateway), GATEWAY_MAC, `the MAC of ${gateway} as ${host.name} sees it`)
      }
    }
    for (const node of lab.nodes) {
      const link = await node.router.link(routedLink(node, 110))
      assert.equal(link.address, GATEWAY_MAC)
      assert.equal(link.master, 'red')
    }

    t.step('layer 2 hosts reach the layer 3 host behind the leaf, and it them')
    await reaches(w1, ['10.10.0.2', 'fd00:a::2'])
    await reaches(w2, ['10.10.0.2', 'fd00:a::2'])
    await reaches(hostred, ['10.110.0.11', 'fd00:110::11', '10.110.0.12', 'fd00:110::12'])

    t.step('within the segment they are bridged')
    await reaches(w1, ['10.110.0.12', 'fd00:110::12', '10.110.0.100', 'fd00:110::100'], { ttl: 1 })

    t.step('and hosts of the VPN on other nodes')
    const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red'])))
    await Promise.all(speakers.map((speaker) => established(speaker, ['192.169.10.1', 'fd00:c9:10::1'])))
    await reaches(w1, [...announcedBy('node2', 'red'), ...announcedBy('node1', 'red')])
    await reaches(node2, ['10.110.0.11', 'fd00:110::11'])

    t.step('MAC and address are type-2 routes with both VNIs and the router MAC; type-5 for the subnet')
    await hasEvpnRoutes(
      leaf,
      [
        typeTwo(w1.mac, '10.110.0.11'),
        typeTwo(w1.mac, 'fd00:110::11'),
        '[5]:[0]:[24]:[10.110.0.0]',
        '[5]:[0]:[64]:[fd00:110::]',
      ],
      '100.65.0.1',
    )
    await hasEvpnRoutes(leaf, [typeTwo(w2.mac, '10.110.0.12'), typeTwo(w2.mac, 'fd00:110::12')], '100.65.0.2')
    const [neighbor] = await leaf
      .zebra('show evpn rmac vni 100 json')
      .then((rmacs) => Object.keys(rmacs as object).filter((key) => key === '02:6e:64:41:00:01'))
    assert.equal(neighbor, '02:6e:64:41:00:01', "the leaf knows node1's router MAC")

    t.step('the gateway is no way out of the VPN')
    await doesNotReach(w1, ['10.20.0.2', 'fd00:b::2', '192.168.10.1', '100.64.0.10'])
  },
}

async function macOf(host: Namespace, address: string): Promise<string> {
  return eventually(`${host.name} has the MAC of ${address}`, async () => {
    const neighbors = await host.show('neigh', 'show', address)
    return neighbors.find(({ lladdr }) => lladdr !== undefined)?.lladdr as string | undefined
  })
}
