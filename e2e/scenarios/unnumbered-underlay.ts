import assert from 'node:assert/strict'
import { established, nextHops, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const TOR_ASN = { tor1: 64601, tor2: 64602 } as const

export const scenario: Scenario = {
  name: 'unnumbered-underlay',
  summary: 'BGP unnumbered with the ToR (RFC 8950): no address on the NIC but a link-local one',
  async run(lab, t) {
    const addresses = lab.nodes.map(({ name }) => [
      `192.168.10.1${name.slice(-1)}/24`,
      `fd00:10::1${name.slice(-1)}/64`,
    ])

    t.step('NICs without addresses, ToRs that speak on the link')
    await Promise.all(lab.nodes.map((node, at) => node.ip(...addresses[at]!.map((own) => `addr del ${own} dev eth1`))))
    for (const [tor, asn] of Object.entries(TOR_ASN)) {
      await lab.router(tor).configure(`router bgp ${asn}`, 'neighbor eth2 interface v6only peer-group NODES')
    }

    t.step('the agents apply the underlay')
    await lab.writeConfig({
      'underlay.yaml': underlay({ neighbors: [{ interface: 'eth1', type: 'External', connectTime: 1 }] }),
      'red.yaml': [l3vni('red'), l2vni('segment110')],
    })
    await lab.startAgents()
    await ready(lab.nodes)

    t.step('the sessions are up, and carry IPv4 over an IPv6 next hop')
    for (const node of lab.nodes) {
      await established(node.routerFrr, ['eth1'])
      const session = (await node.routerFrr.sessions()).get('eth1')
      assert.ok(
        session?.families.includes('ipv4Unicast') && session.families.includes('l2VpnEvpn'),
        `${session?.families.join()}`,
      )
      await eventually(`${node.name} reaches the leaf's VTEP over a link-local next hop`, async () => {
        const [hop = ''] = await nextHops(node.routerFrr, '100.64.0.10/32')
        return /^fe80:.* eth1$/.test(hop)
      })
      const nic = (await node.router.show('addr', 'show', 'dev', 'eth1'))[0]
      const scopes = (nic.addr_info as { scope: string }[]).map(({ scope }) => scope)
      assert.deepEqual(scopes, ['link'], 'the NIC has its link-local address only')
    }

    t.step('the VPN works over it')
    const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red'])))
    await Promise.all(speakers.map((speaker) => established(speaker, ['192.169.10.1', 'fd00:c9:10::1'])))
    const [from1, from2] = [announcedBy('node1', 'red'), announcedBy('node2', 'red')]
    await reaches(lab.ns('hostred'), [...from1, ...from2])
    await reaches(lab.node('node1'), [from2[0], '10.10.0.2'], { from: from1[0] })
    await reaches(lab.node('node1'), [from2[1], 'fd00:a::2'], { from: from1[1] })

    t.step('and the segment')
    const w1 = await addWorkload(lab, lab.node('node1'), {
      name: 'w1',
      bridge: 'br-hs-110',
      addresses: ['10.110.0.11/24', 'fd00:110::11/64'],
    })
    await reaches(w1, ['10.110.0.100', 'fd00:110::100'])

    t.step('everything goes back')
    for (const [tor, asn] of Object.entries(TOR_ASN)) {
      await lab.router(tor).configure(`router bgp ${asn}`, 'no neighbor eth2 interface v6only peer-group NODES')
    }
    await Promise.all(
      lab.nodes.map(async (node, at) => {
        await node.clean()
        await node.ip(...addresses[at]!.map((own) => `addr add ${own} dev eth1`))
      }),
    )
  },
}
