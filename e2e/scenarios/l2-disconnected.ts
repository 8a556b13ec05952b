import assert from 'node:assert/strict'
import { doesNotReach, evpnRoutes, hasEvpnRoutes, reaches, ready, typeTwo } from '../lab/checks.ts'
import { overlayOf, routedLink } from '../lab/overlay.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

export const scenario: Scenario = {
  name: 'l2-disconnected',
  summary:
    'a segment without a VRF: bridged over the fabric, no gateway, no routes, apart from a segment with the same subnet',
  async run(lab, t) {
    const [node1, node2, leaf] = [lab.node('node1'), lab.node('node2'), lab.router('leaf')]

    t.step('the agents apply the segment, and one of a VPN beside it')
    await lab.writeConfig({
      'underlay.yaml': underlay(),
      'segments.yaml': [l2vni('segment300'), l3vni('red'), l2vni('segment110')],
    })
    await lab.startAgents()
    await ready(lab.nodes)
    const workload = (node: typeof node1, name: string, number: number, bridge = 'br-hs-300') =>
      addWorkload(lab, node, { name, bridge, addresses: [`10.30.0.${number}/24`, `fd00:30::${number}/64`] })
    const w1 = await workload(node1, 'w1', 11)
    const w2 = await workload(node2, 'w2', 12)

    t.step('both nodes and the host behind the leaf reach each other')
    await reaches(w1, ['10.30.0.12', 'fd00:30::12', '10.30.0.100', 'fd00:30::100'])
    await reaches(w2, ['10.30.0.11', 'fd00:30::11', '10.30.0.100', 'fd00:30::100'])
    await reaches(lab.ns('hostl2d'), ['10.30.0.11', 'fd00:30::11', '10.30.0.12', 'fd00:30::12'])
    await hasEvpnRoutes(leaf, [typeTwo(w1.mac)], '100.65.0.1')
    await hasEvpnRoutes(leaf, [typeTwo(w2.mac)], '100.65.0.2')

    t.step('the nodes themselves are not in it: their bridges and ports have no address, not even a link-local one')
    for (const node of lab.nodes) {
      for (const link of ['br-hs-300', 'host-300']) {
        const [shown] = await node.show('addr', 'show', 'dev', link)
        assert.deepEqual(shown.addr_info, [], `addresses of ${link} on ${node.name}`)
      }
    }
    const announced = [...(await evpnRoutes(leaf))].flatMap(([prefix, routes]) => {
      const [, mac, address] = /^\[2\]:\[0\]:\[48\]:\[(.*?)\]:\[\d+\]:\[(.*)\]$/.exec(prefix) ?? []
      const ours = routes.some(({ communities }) => communities.includes('RT:64514:300'))
      return mac !== undefined && address !== undefined && ours && ![w1.mac, w2.mac].includes(mac) ? [prefix] : []
    })
    assert.deepEqual(announced, [], 'addresses that the nodes announce in VNI 300, but those of the workloads')

    t.step('the segment is in no VRF, and the router has no address in it')
    for (const node of lab.nodes) {
      const overlay = await overlayOf(node, 300)
      const links = (await node.router.show('addr')).filter(({ ifname }) =>
        [overlay?.bridge, routedLink(node, 300)].includes(ifname),
      )
      assert.equal(links.length, 1, 'its bridge, and no other link that could have addresses')
      for (const { ifname, master, addr_info: addresses } of links) {
        assert.equal(master, undefined)
        assert.deepEqual(addresses, [], `addresses of ${ifname} on ${node.name}`)
      }
      const vni = await node.routerFrr.zebra('show evpn vni 300 json')
      assert.equal(vni.type, 'L2')
      assert.equal(vni.tenantVrf ?? vni.vrf, 'default')
    }

    t.step('the same subnet in another segment is another network')
    const other = await workload(node1, 'w3', 11, 'br-hs-110')
    const peer = await workload(node2, 'w4', 12, 'br-hs-110')
    await reaches(other, ['10.30.0.12', 'fd00:30::12'])
    await doesNotReach(other, ['10.30.0.100', 'fd00:30::100'])
    await peer.ip('link set eth0 down')
    await doesNotReach(other, ['10.30.0.12', 'fd00:30::12'])
    await reaches(w1, ['10.30.0.12', 'fd00:30::12', '10.30.0.100', 'fd00:30::100'])

    t.step('nothing routes out of it')
    await w1.ip('route add default via 10.30.0.1', 'route add default via fd00:30::1')
    await doesNotReach(w1, ['10.10.0.2', 'fd00:a::2', '10.110.0.100', '192.168.10.1'])
  },
}
