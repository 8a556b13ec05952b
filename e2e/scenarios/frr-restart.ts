import assert from 'node:assert/strict'
import { established, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import type { FrrDaemon } from '../lab/frr.ts'
import { startMonitor } from '../lab/monitor.ts'
import { frrConfiguration } from '../lab/node-state.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const PEERS = ['192.169.10.1', 'fd00:c9:10::1']
const KILLS: readonly (readonly [string, readonly FrrDaemon[]])[] = [
  ['bgpd', ['bgpd']],
  ['zebra', ['zebra']],
  ['all daemons', ['mgmtd', 'zebra', 'bgpd']],
]
/** What may be lost at most: a second until the daemon is started again, and its sessions. */
const LONGEST_GAP_MS = 15_000

export const scenario: Scenario = {
  name: 'frr-restart',
  summary: "managed FRR's daemons are killed: kernel routes stay, sessions and all state return; the loss is measured",
  timeoutSeconds: 180,
  async run(lab, t) {
    const node = lab.node('node1')

    t.step('a node with traffic')
    await node.writeConfig({ 'underlay.yaml': underlay(), 'red.yaml': [l3vni('red'), l2vni('segment110')] })
    await node.agent.start()
    await ready([node])
    const speaker = await startFrrSpeaker(node, ['red'])
    await established(speaker, PEERS)
    const web = await addWorkload(lab, node, {
      name: 'w1',
      bridge: 'br-hs-110',
      addresses: ['10.110.0.11/24', 'fd00:110::11/64'],
      gateways: ['10.110.0.1', 'fd00:110::1'],
    })
    const works = async (): Promise<void> => {
      await established(node.routerFrr, ['192.168.10.1', 'fd00:10::1'])
      await established(speaker, PEERS)
      await reaches(lab.ns('hostred'), [...announcedBy('node1', 'red'), '10.110.0.11', 'fd00:110::11'])
      await reaches(node, ['10.10.0.2', 'fd00:a::2'])
      await reaches(web, ['10.110.0.100', 'fd00:110::100'], { ttl: 1 })
    }
    await works()
    const configuration = await frrConfiguration(node)

    for (const [what, daemons] of KILLS) {
      t.step(`${what} killed`)
      const routes = await learnt()
      assert.ok(routes.length >= 4, `routes by BGP: ${routes.join(' ')}`)
      const flows = {
        'layer 3 to the node': lab.ns('hostred').pinger('10.1.1.1', { interval: 0.05 }),
        'layer 3 from the node': node.pinger('10.10.0.2', { interval: 0.05, from: '10.1.1.1' }),
        'layer 2': web.pinger('10.110.0.100', { interval: 0.05 }),
      }
      const before = await node.routerFrr.pids()
      const monitor = await startMonitor(node.router)
      await node.routerFrr.kill(daemons)

      t.step(`${what} killed: kernel routes stay`)
      const now = await learnt()
      assert.deepEqual(
        routes.filter((route) => !now.includes(route)),
        [],
        'no route left the kernel',
      )

      t.step(`${what} killed: they come back, with their configuration and their sessions`)
      await eventually(`other processes of ${daemons.join(', ')}`, async () => {
        const after = await node.routerFrr.pids()
        return daemons.every((daemon) => after.has(daemon) && after.get(daemon) !== before.get(daemon))
      })
      await ready([node])
      await works()
      assert.deepEqual(await frrConfiguration(node), configuration, 'the same configuration')
      await eventually('the same routes', async () => {
        const again = await learnt()
        const missing = routes.filter((route) => !again.includes(route))
        if (missing.length > 0) throw new Error(missing.join(', '))
        return true
      })
      const removed = (await monitor.stop()).filter((line) => /^Deleted .* proto bgp/.test(line))
      t.note(`${what} killed: ${removed.length} routes by BGP left the kernel before they were back`)
      // A bgpd that comes back alone makes zebra drop what it kept for it, before the sessions are up (FRR 10.3).
      if (what !== 'bgpd') assert.deepEqual(removed, [], 'no route left the kernel at any time')
      for (const [flow, pinger] of Object.entries(flows)) {
        const { lost, sent, gapMs } = await pinger.stop()
        t.note(`${what} killed, ${flow}: ${lost} of ${sent} packets lost, longest gap ${gapMs} ms`)
        assert.ok(gapMs < LONGEST_GAP_MS, `${flow}: ${gapMs} ms without an answer`)
      }
    }

    /** Routes by BGP in the VRF and the main table: prefix and gateway. */
    async function learnt(): Promise<string[]> {
      const all = [...(await node.router.routes('vrf red')), ...(await node.router.routes('main'))]
      return all
        .filter(({ protocol }) => protocol === 'bgp')
        .map(({ dst, gateway }) => `${dst} ${gateway ?? ''}`.trim())
    }
  },
}
