/** What the end of an agent and its return must not do: to traffic, to the kernel, to FRR. */
import assert from 'node:assert/strict'
import type { ScenarioLog } from '../scenario.ts'
import { established, reaches, ready } from './checks.ts'
import { eventually } from './eventually.ts'
import type { Lab } from './lab.ts'
import { startMonitor } from './monitor.ts'
import type { LabNode } from './node.ts'
import { frrConfiguration } from './node-state.ts'
import { l2vni, l3vni, passthrough, underlay } from './resources.ts'
import { watchSessions } from './session-watch.ts'
import { difference } from './snapshot.ts'
import { announcedBy, startFrrSpeaker } from './speaker.ts'
import { addWorkload } from './workload.ts'

/** Ends the agent of node1 by `end` and starts it again, with traffic of every kind through its router. */
export async function endAndReturn(lab: Lab, t: ScenarioLog, end: (node: LabNode) => Promise<void>): Promise<void> {
  const node = lab.node('node1')

  t.step('a node with VPNs of every kind, and traffic through it')
  await node.writeConfig({
    'underlay.yaml': underlay(),
    'vpns.yaml': [l3vni('red'), l3vni('blue'), l2vni('segment110'), l2vni('segment300'), passthrough()],
  })
  await node.agent.start()
  await ready([node])
  await established(await startFrrSpeaker(node, ['red', 'blue']), ['192.169.10.1', 'fd00:c9:10::1', '192.169.20.1'])
  const web = await addWorkload(lab, node, {
    name: 'w1',
    bridge: 'br-hs-110',
    addresses: ['10.110.0.11/24', 'fd00:110::11/64'],
    gateways: ['10.110.0.1', 'fd00:110::1'],
  })
  const far = await addWorkload(lab, node, { name: 'w2', bridge: 'br-hs-300', addresses: ['10.30.0.11/24'] })
  const traffic = [
    ...announcedBy('node1', 'red').map((address) => ({ from: lab.ns('hostred'), address })),
    ...announcedBy('node1', 'blue').map((address) => ({ from: lab.ns('hostblue'), address })),
    ...['10.110.0.100', 'fd00:110::100', '10.10.0.2', 'fd00:a::2'].map((address) => ({ from: web, address })),
    { from: far, address: '10.30.0.100' },
  ]
  for (const { from, address } of traffic) await reaches(from, [address])
  const pingers = traffic.map(({ from, address }) => from.pinger(address, { interval: 0.05 }))

  t.step('what must stay')
  // A bridge tells of each port once more when its forward delay is over, 15 s after it came up (br_stp_timer.c).
  for (const namespace of [node, node.router]) {
    await eventually(`the ports of bridges in ${namespace.name} have settled`, async () => {
      const timers = (await namespace.show('link')).map(
        ({ linkinfo }) => linkinfo?.info_slave_data?.forward_delay_timer,
      )
      return timers.every((timer) => timer === undefined || Number(timer) === 0)
    })
  }
  const vrfs = ['default', 'red', 'blue']
  const watches = await Promise.all(vrfs.map((vrf) => watchSessions(node.routerFrr, vrf)))
  const daemons = await node.routerFrr.pids()
  const configuration = await frrConfiguration(node)
  const snapshots = [await node.snapshot(), await node.router.snapshot()] as const
  // The bridge may still tell of the workloads' ports, the last that came; the snapshots have them.
  const monitors = await Promise.all([startMonitor(node, ['w1', 'w2']), startMonitor(node.router)])

  t.step('the agent ends')
  await end(node)
  assert.equal(node.agent.running, false)
  for (const { from, address } of traffic) await reaches(from, [address])

  t.step('the agent comes back')
  const begun = performance.now()
  await node.agent.start({ flags: ['--log-level', 'debug'] })
  await ready([node])
  t.note(`back and Ready after ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  const { counters } = await node.agent.status()
  assert.equal(counters.netlinkWrites, 0, 'it wrote nothing to the kernel')
  assert.equal(counters.frrCommands, 0, 'it sent FRR no command')
  await eventually('it has looked more than once', async () => (await node.agent.status()).counters.reconciles >= 1)

  t.step('the kernel and FRR say so too')
  for (const monitor of monitors) assert.deepEqual(await monitor.stop(), [], 'nothing changed in the kernel')
  assert.deepEqual(difference(snapshots[0], await node.snapshot()), [])
  assert.deepEqual(difference(snapshots[1], await node.router.snapshot()), [])
  assert.deepEqual(await frrConfiguration(node), configuration, "FRR's configuration is untouched")
  assert.deepEqual(await node.routerFrr.pids(), daemons, 'the same daemons run')
  for (const watch of watches) await watch.check()

  t.step('no packet was lost')
  const results = await Promise.all(pingers.map((pinger) => pinger.stop()))
  const sent = results.reduce((sum, each) => sum + each.sent, 0)
  for (const [at, { lost, gapMs }] of results.entries()) {
    assert.equal(
      lost,
      0,
      `${traffic[at]?.from.name} to ${traffic[at]?.address}: ${lost} lost, ${gapMs} ms without an answer`,
    )
  }
  t.note(`0 of ${sent} packets lost over ${traffic.length} flows at 20 a second`)
}
