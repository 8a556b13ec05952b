import assert from 'node:assert/strict'
import { thereAndBack } from '../lab/change.ts'
import { established, reaches } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { hostSession, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, sessionsWith } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

const files = (net: string) => ({
  'underlay.yaml': underlay(),
  'red.yaml': l3vni('red', { hostSession: hostSession(`192.169.${net}.0/24`, `fd00:c9:${net}::/64`) }),
})

export const scenario: Scenario = {
  name: 'change-local-cidr',
  summary: "a host session gets other networks, and its old ones again; the VRF and another VPN's sessions stay",
  async run(lab, t) {
    const node1 = lab.node('node1')
    const red = lab.nodes.flatMap((node) => announcedBy(node.name, 'red'))
    const works = async (net: string, former: string): Promise<void> => {
      await established(node1.routerFrr, [`192.169.${net}.2`, `fd00:c9:${net}::2`], 'red')
      await reaches(lab.ns('hostred'), red)
      // The new session's own addresses are announced, the old ones no more.
      await reaches(lab.ns('hostred'), [`192.169.${net}.2`, `192.169.${net}.3`, `fd00:c9:${net}::2`])
      await eventually(`the leaf forgets 192.169.${former}.2 and fd00:c9:${former}::2`, async () => {
        const known = JSON.stringify(await lab.ns('leaf').routes('vrf red'))
        return !known.includes(`192.169.${former}.`) && !known.includes(`fd00:c9:${former}:`)
      })
      for (const namespace of [node1, node1.router]) {
        const addresses = JSON.stringify(await namespace.show('addr'))
        assert.ok(addresses.includes(`192.169.${net}.`), `${namespace.name} has an address of the new network`)
        for (const old of [`192.169.${former}.`, `fd00:c9:${former}:`]) {
          assert.equal(addresses.includes(old), false, `${namespace.name} has no address ${old}`)
        }
      }
      const peers = [...(await node1.routerFrr.sessions('red')).keys()].sort()
      assert.deepEqual(peers, [`192.169.${net}.2`, `fd00:c9:${net}::2`])
      const { addresses } = await node1.agent.status()
      const session = addresses.hostSessions.find(({ vrf }) => vrf === 'red')
      assert.deepEqual(session?.host, [`192.169.${net}.2/24`, `fd00:c9:${net}::2/64`])
    }
    await thereAndBack(lab, t, {
      one: files('10'),
      other: files('11'),
      sessions: (node) => {
        const old = sessionsWith(node.name, ['red'])
        return [
          ...old,
          ...old.map((session) => ({
            ...session,
            peer: session.peer.replace('.10.1', '.11.1').replace(':10:', ':11:'),
          })),
        ]
      },
      oneWorks: () => works('10', '11'),
      otherWorks: () => works('11', '10'),
    })
  },
}
