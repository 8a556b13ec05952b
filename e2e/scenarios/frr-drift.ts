import assert from 'node:assert/strict'
import { reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

/** Lines that somebody takes out of a running FRR, each with its block. */
const LINES = [
  ['router bgp 64514', 'address-family l2vpn evpn', 'neighbor 192.168.10.1 activate'],
  ['router bgp 64514 vrf red', 'address-family l2vpn evpn', 'advertise ipv4 unicast'],
  ['vrf red', 'vni 100'],
] as const

export const scenario: Scenario = {
  name: 'frr-drift',
  summary: 'somebody changes FRR with vtysh: the agent notices by itself and puts it right',
  async run(lab, t) {
    const node1 = lab.node('node1')
    t.step('a VPN')
    await node1.writeConfig({ 'underlay.yaml': underlay(), 'red.yaml': l3vni('red') })
    await node1.agent.start()
    await ready([node1])
    await startFrrSpeaker(node1, ['red'])
    const works = () => reaches(lab.ns('hostred'), announcedBy('node1', 'red'))
    await works()

    for (const path of LINES) {
      const line = path.at(-1) ?? ''
      t.step(`"${line}" goes`)
      const { counters } = await node1.agent.status()
      await node1.routerFrr.configure(...path.slice(0, -1), `no ${line}`)
      const began = performance.now()
      await eventually('the agent enters something', async () => {
        return (await node1.agent.status()).counters.frrCommands > counters.frrCommands
      })
      t.note(`"${line}" is back after ${Math.round(performance.now() - began)} ms`)
      assert.ok((await node1.routerFrr.vtysh('show running-config')).includes(line))
      await works()
    }

    t.step('a session of somebody else goes')
    await node1.routerFrr.configure('router bgp 64514', 'neighbor 10.66.66.66 remote-as 66')
    await eventually('it is gone', async () => {
      return !(await node1.routerFrr.vtysh('show running-config')).includes('10.66.66.66')
    })
    await ready([node1])
  },
}
