import assert from 'node:assert/strict'
import { established, hasEvpnRoutes, reaches, ready, typeFive } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { ASN, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, sessionsWith, startFrrSpeaker } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

const PEERS = ['192.169.10.1', 'fd00:c9:10::1']

export const scenario: Scenario = {
  name: 'ibgp-host-session',
  summary: "the host's speaker has the router's AS: it learns the VPN's routes, and the VPN learns its",
  async run(lab, t) {
    const [node1, node2, leaf] = [lab.node('node1'), lab.node('node2'), lab.router('leaf')]

    t.step('the agents apply a VPN with internal sessions')
    await lab.writeConfig({
      'underlay.yaml': underlay(),
      'red.yaml': l3vni('red', {
        hostSession: {
          asn: ASN.nodes,
          hostType: 'Internal',
          connectTime: 1,
          localCIDR: { ipv4: '192.169.10.0/24', ipv6: 'fd00:c9:10::/64' },
        },
      }),
    })
    await lab.startAgents()
    await ready(lab.nodes)

    t.step('the sessions are internal on both sides')
    const speakers = await Promise.all(
      lab.nodes.map((node) =>
        startFrrSpeaker(node, ['red'], {
          asn: ASN.nodes,
          sessions: sessionsWith(node.name, ['red'], { peerASN: ASN.nodes }),
        }),
      ),
    )
    for (const speaker of speakers) {
      await established(speaker, PEERS)
      for (const peer of PEERS) {
        const session = (await speaker.sessions()).get(peer)
        assert.equal(session?.detail.nbrInternalLink, true, `${peer} is an internal neighbour`)
      }
    }

    t.step('routes of the host are type-5 routes')
    const [from1, from2] = [announcedBy('node1', 'red'), announcedBy('node2', 'red')]
    await hasEvpnRoutes(leaf, [typeFive(`${from1[0]}/32`), typeFive(`${from1[1]}/128`)], '100.65.0.1')
    await hasEvpnRoutes(leaf, [typeFive(`${from2[0]}/32`), typeFive(`${from2[1]}/128`)], '100.65.0.2')

    t.step("the host learns the leaf's routes and the other host's, with its router as the next hop")
    for (const [node, far] of [
      [node1, from2],
      [node2, from1],
    ] as const) {
      for (const dst of ['10.10.0.0/24', 'fd00:a::/64', ...far]) {
        await eventually(`${node.name}'s host has a route to ${dst}`, async () => {
          const route = (await node.routes()).find((candidate) => candidate.dst === dst)
          return route?.dev === 'host-100'
        })
      }
    }

    t.step('traffic')
    await reaches(node1, [from2[0], '10.10.0.2'], { from: from1[0] })
    await reaches(node1, [from2[1], 'fd00:a::2'], { from: from1[1] })
    await reaches(lab.ns('hostred'), [...from1, ...from2])
  },
}
