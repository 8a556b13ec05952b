import assert from 'node:assert/strict'
import { hasVnis, thereAndBack } from '../lab/change.ts'
import { established, nextHops, reaches } from '../lab/checks.ts'
import { routedLink } from '../lab/overlay.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, sessionsWith } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const hostMaster = { type: 'LinuxBridge', name: 'br-web', autoCreate: true } as const
const files = (vrf: string) => ({
  'underlay.yaml': underlay(),
  'red.yaml': [l3vni('red', { vrf }), l2vni('segment110', { vrf, hostMaster })],
})

export const scenario: Scenario = {
  name: 'change-vrf',
  summary: 'a VPN gets another VRF, with the segment in it, and its old one again; another VPN does not notice',
  async run(lab, t) {
    const node1 = lab.node('node1')
    const red = lab.nodes.flatMap((node) => announcedBy(node.name, 'red'))
    const works = async (vrf: string, former: string): Promise<void> => {
      await hasVnis(node1, [100, 110, 200])
      await established(node1.routerFrr, ['192.169.10.2', 'fd00:c9:10::2'], vrf)
      await reaches(lab.ns('hostred'), [...red, '10.110.0.11', 'fd00:110::11'])
      await reaches(lab.ns('w1'), ['10.10.0.2', 'fd00:a::2', '10.110.0.1', 'fd00:110::1', '10.110.0.100'])
      const [l3, l2] = [routedLink(node1, 100), routedLink(node1, 110)]
      assert.deepEqual(await nextHops(node1.routerFrr, '10.10.0.0/24', vrf), [`100.64.0.10 ${l3}`])
      const masters = new Map((await node1.router.show('link')).map(({ ifname, master }) => [ifname, master]))
      for (const name of [l3, l2, 'pe-100']) assert.equal(masters.get(name), vrf, `${name} is in ${vrf}`)
      assert.equal(masters.has(former), false, `the VRF ${former} is gone`)
      const rules = JSON.stringify(await node1.routerFrr.bgp('show bgp vrfs json'))
      assert.equal(rules.includes(`"${former}"`), false, `bgpd has no instance ${former}`)
      assert.equal((await node1.routerFrr.running()).includes(`vrf ${former}`), false, `FRR does not name ${former}`)
    }
    await thereAndBack(lab, t, {
      one: files('red'),
      other: files('crimson'),
      sessions: (node) => sessionsWith(node.name, ['red']),
      async prepare() {
        const addresses = ['10.110.0.11/24', 'fd00:110::11/64']
        const gateways = ['10.110.0.1', 'fd00:110::1']
        await addWorkload(lab, node1, { name: 'w1', bridge: 'br-web', addresses, gateways })
      },
      oneWorks: () => works('red', 'crimson'),
      otherWorks: () => works('crimson', 'red'),
    })
  },
}
