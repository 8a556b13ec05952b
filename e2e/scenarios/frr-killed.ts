import assert from 'node:assert/strict'
import { established, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { FrrDaemon } from '../lab/frr.ts'
import type { Scenario } from '../scenario.ts'

/** Without BFD there is no bfdd; the scenario `bfd` kills that. */
const ALL: readonly FrrDaemon[] = ['bgpd', 'zebra', 'mgmtd']
const ROUNDS: readonly (readonly FrrDaemon[])[] = [...ALL.map((daemon) => [daemon]), ALL]
/** It carries no traffic and holds nothing that others lose with it. */
const HARMLESS: ReadonlySet<FrrDaemon> = new Set(['mgmtd'])
const INTERVAL = 0.1

export const scenario: Scenario = {
  name: 'frr-killed',
  summary: 'each daemon of FRR, and all of them, dies by SIGKILL: it is back without the agent, and traffic with it',
  timeoutSeconds: 400,
  async run(lab, t) {
    const node1 = lab.node('node1')
    const [hostred, hostl2] = [lab.ns('hostred'), lab.ns('hostl2')]

    t.step('a VPN with a segment in it')
    await lab.writeConfig({ 'underlay.yaml': underlay(), 'red.yaml': [l3vni('red'), l2vni('segment110')] })
    await lab.startAgents()
    await ready(lab.nodes)
    const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red'])))
    const [addresses, gateways] = [['10.110.0.11/24'], ['10.110.0.1']]
    const w1 = await addWorkload(lab, node1, { name: 'w1', bridge: 'br-hs-110', addresses, gateways })
    const [own4, own6] = announcedBy('node1', 'red')
    const [far4] = announcedBy('node2', 'red')
    const whole = async () => {
      await established(node1.routerFrr, ['192.168.10.1', 'fd00:10::1'])
      await Promise.all(speakers.map((speaker) => established(speaker, ['192.169.10.1', 'fd00:c9:10::1'])))
      await reaches(hostred, [own4, own6])
      await reaches(node1, [far4], { from: own4 })
      await reaches(w1, ['10.110.0.100'], { ttl: 1 })
      // Behind the leaf the gateway is the same address: only the MAC+IP route leads to the workload.
      await reaches(hostred, ['10.110.0.11'])
    }
    await whole()

    for (const agent of ['alive', 'away'] as const) {
      if (agent === 'away') await node1.agent.stop()
      for (const daemons of ROUNDS) {
        const name = daemons.length === 1 ? daemons.join() : 'all'
        t.step(`${name} dies, the agent is ${agent}`)
        const before = await node1.routerFrr.pids()
        const flows = [
          ['L3 in', hostred.pinger(own4, { interval: INTERVAL })],
          ['L3 in, IPv6', hostred.pinger(own6, { interval: INTERVAL })],
          ['L3 node to node', node1.pinger(far4, { interval: INTERVAL, from: own4 })],
          ['L2', hostl2.pinger('10.110.0.11', { interval: INTERVAL })],
          ['routed to a workload', hostred.pinger('10.110.0.11', { interval: INTERVAL })],
        ] as const
        const began = performance.now()
        for (const daemon of daemons) process.kill(before.get(daemon) ?? Number.NaN, 'SIGKILL')
        await eventually(`${name} runs again`, async () => {
          const pids = await node1.routerFrr.pids()
          return ALL.every(
            (daemon) => pids.has(daemon) && (pids.get(daemon) !== before.get(daemon)) === daemons.includes(daemon),
          )
        })
        const again = performance.now() - began
        await whole()
        if (agent === 'alive') await ready([node1])
        // zebra sweeps what nobody confirmed; what was only kept by it would be lost now.
        const results = await Promise.all(flows.map(async ([flow, pinger]) => [flow, await pinger.stop()] as const))
        const told = results.map(([flow, { lost, gapMs }]) => `${flow} ${lost} (${gapMs} ms)`)
        t.note(`${name}, agent ${agent}: runs after ${Math.round(again)} ms; lost: ${told.join(', ')}`)
        if (daemons.every((daemon) => HARMLESS.has(daemon)))
          for (const [flow, { lost }] of results) assert.ok(lost <= 1, `${name}, ${flow}: ${lost} packets lost`)
      }
    }

    t.step('an agent that comes back finds all as it was')
    const pids = await node1.routerFrr.pids()
    await node1.agent.start()
    await ready([node1])
    assert.deepEqual(await node1.routerFrr.pids(), pids)
    const { counters } = await node1.agent.status()
    assert.deepEqual([counters.frrCommands, counters.netlinkWrites], [0, 0])
  },
}
