import { established, hasEvpnRoutes, reaches, ready, typeFive } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startBirdSpeaker, startFrrSpeaker } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

export const scenario: Scenario = {
  name: 'bird-host-speaker',
  summary: 'BIRD as Calico configures it on one host, FRR on the other: each reaches the other and the remote leaf',
  async run(lab, t) {
    const [node1, node2, leaf] = [lab.node('node1'), lab.node('node2'), lab.router('leaf')]

    t.step('the agents apply the VPN')
    await lab.writeConfig({ 'underlay.yaml': underlay(), 'red.yaml': l3vni('red') })
    await lab.startAgents()
    await ready(lab.nodes)

    t.step('BIRD and FRR have sessions with their routers')
    const [bird, frr] = await Promise.all([startBirdSpeaker(node1, ['red']), startFrrSpeaker(node2, ['red'])])
    for (const session of ['session1', 'session2']) {
      await eventually(`BIRD's ${session} is up`, async () => {
        const shown = await bird.show(`protocols ${session}`)
        if (!/Established/.test(shown)) throw new Error(shown)
        return true
      })
    }
    await established(frr, ['192.169.10.1', 'fd00:c9:10::1'])
    await established(node1.routerFrr, ['192.169.10.2', 'fd00:c9:10::2'], 'red')

    t.step('routes both ways')
    const [from1, from2] = [announcedBy('node1', 'red'), announcedBy('node2', 'red')]
    await hasEvpnRoutes(leaf, [typeFive(`${from1[0]}/32`), typeFive(`${from1[1]}/128`)], '100.65.0.1')
    for (const dst of ['10.10.0.0/24', 'fd00:a::/64', ...from2]) {
      await eventually(`BIRD has put a route to ${dst} into the kernel`, async () =>
        (await node1.routes()).some(
          (route) => route.dst === dst && route.protocol === 'bird' && route.dev === 'host-100',
        ),
      )
    }

    t.step('traffic')
    await reaches(node1, [from2[0], '10.10.0.2'], { from: from1[0] })
    await reaches(node1, [from2[1], 'fd00:a::2'], { from: from1[1] })
    await reaches(node2, [from1[0]], { from: from2[0] })
    await reaches(lab.ns('hostred'), [...from1, ...from2])

    t.step('what BIRD takes back is gone')
    await bird.stop()
    await eventually('the leaf has no route to it', async () => {
      const shown = await leaf.bgp(`show bgp vrf red ipv4 unicast ${from1[0]}/32 json`)
      return shown.paths === undefined
    })
    await reaches(lab.ns('hostred'), from2)
  },
}
