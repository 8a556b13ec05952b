import assert from 'node:assert/strict'
import { thereAndBack } from '../lab/change.ts'
import { established, reaches } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { l3vni, underlay, type UnderlaySpec } from '../lab/resources.ts'
import { announcedBy, sessionsWith } from '../lab/speaker.ts'
import type { Snapshot } from '../lab/snapshot.ts'
import type { Scenario } from '../scenario.ts'

const neighbors = (net: string): UnderlaySpec['neighbors'] => [
  { address: `192.168.${net}.1`, type: 'External', connectTime: 1 },
  { address: `fd00:${net}::1`, type: 'External', connectTime: 1, addressFamilies: ['IPv6Unicast'] },
]
const files = (nic: string, net: string) => ({
  'underlay.yaml': underlay({ interfaces: [{ name: nic }], neighbors: neighbors(net) }),
  'red.yaml': l3vni('red'),
})

export const scenario: Scenario = {
  name: 'change-nic',
  summary: "the underlay moves to another NIC, and back; the former NIC is the host's again with all it had",
  async run(lab, t) {
    const red = lab.nodes.flatMap((node) => announcedBy(node.name, 'red'))
    const start = new Map<string, Snapshot>()
    for (const node of lab.nodes) start.set(node.name, await node.snapshot())
    const works = async (nic: string, former: string, net: string): Promise<void> => {
      for (const node of lab.nodes) {
        await established(node.routerFrr, [`192.168.${net}.1`, `fd00:${net}::1`])
        assert.equal((await node.routerFrr.sessions()).size, 2, 'the former neighbours are gone')
        const names = (await node.router.show('link')).map(({ ifname }) => ifname as string)
        assert.ok(names.includes(nic), `${nic} is in the router of ${node.name}`)
        assert.equal(names.includes(former), false, `${former} is not in the router of ${node.name}`)
        const of = (snapshot: Snapshot = []) => snapshot.filter((line) => line.includes(`"${former}"`))
        // Its IPv6 addresses are tentative for a second.
        await eventually(`${former} is as it was`, async () => {
          assert.deepEqual(of(await node.snapshot()), of(start.get(node.name)))
          return true
        })
      }
      await reaches(lab.ns('hostred'), red)
      await reaches(
        lab.ns('hostblue'),
        lab.nodes.flatMap((node) => announcedBy(node.name, 'blue')),
      )
    }
    await thereAndBack(lab, t, {
      one: files('eth2', '20'),
      other: files('eth1', '10'),
      sessions: (node) => sessionsWith(node.name, ['red']),
      oneWorks: () => works('eth2', 'eth1', '20'),
      otherWorks: () => works('eth1', 'eth2', '10'),
      underlay: true,
    })
  },
}
