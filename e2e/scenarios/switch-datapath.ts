import assert from 'node:assert/strict'
import { hasVnis } from '../lab/change.ts'
import { established, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import type { DatapathShape } from '../job.ts'
import { isAgain, nodeState } from '../lab/node-state.ts'
import { overlayOf, routedLink } from '../lab/overlay.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import type { LabNode } from '../lab/node.ts'
import { watchSessions } from '../lab/session-watch.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'
import { messageOf } from '../../log/log.ts'

const VNIS = [100, 110, 200, 300]
/** Milliseconds that a flow through the node may be without an answer; user-mode Linux on a busy machine. */
const OUTAGE_MS = 15_000

export const scenario: Scenario = {
  name: 'switch-datapath',
  summary:
    'a live node goes from a device per VNI to the single VXLAN device and back; others lose nothing, it stops shortly',
  datapaths: 'its own',
  timeoutSeconds: 240,
  async run(lab, t) {
    const [node1, node2] = [lab.node('node1'), lab.node('node2')]

    t.step('two nodes with a device per VNI, and traffic of every kind')
    lab.datapath = 'per-vni'
    await lab.writeConfig({
      'underlay.yaml': underlay(),
      'vpns.yaml': [l3vni('red'), l3vni('blue'), l2vni('segment110'), l2vni('segment300')],
    })
    await lab.startAgents()
    await ready(lab.nodes)
    const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red', 'blue'])))
    await Promise.all(speakers.map((speaker) => established(speaker, ['192.169.10.1', 'fd00:c9:20::1'])))
    for (const [at, node] of lab.nodes.entries()) {
      await addWorkload(lab, node, {
        name: `w${at + 1}`,
        bridge: 'br-hs-110',
        addresses: [`10.110.0.1${at + 1}/24`, `fd00:110::1${at + 1}/64`],
        gateways: ['10.110.0.1', 'fd00:110::1'],
      })
      await addWorkload(lab, node, { name: `v${at + 1}`, bridge: 'br-hs-300', addresses: [`10.30.0.1${at + 1}/24`] })
    }
    const through = (number: 1 | 2) => [
      ...announcedBy(`node${number}`, 'red').map((address) => ({ from: lab.ns('hostred'), address })),
      ...announcedBy(`node${number}`, 'blue').map((address) => ({ from: lab.ns('hostblue'), address })),
      ...['10.110.0.100', 'fd00:110::100', '10.10.0.2'].map((address) => ({ from: lab.ns(`w${number}`), address })),
      { from: lab.ns(`v${number}`), address: '10.30.0.100' },
    ]
    const between = [
      { from: lab.ns('w1'), address: '10.110.0.12' },
      { from: lab.ns('v1'), address: '10.30.0.12' },
    ]
    const works = async () => {
      for (const { from, address } of [...through(1), ...through(2), ...between]) await reaches(from, [address])
    }
    await works()
    const states = new Map<DatapathShape, readonly string[]>([['per-vni', await nodeState(node1)]])

    const change = async (to: DatapathShape, killed = false): Promise<void> => {
      const from = node1.agent.datapath
      t.step(`node1 goes from ${from} to ${to}${killed ? ', its agent killed half way' : ''}`)
      const told = (await node1.agent.log()).length
      const pingers = through(1).map(({ from: host, address }) => host.pinger(address, { interval: 0.05 }))
      const others = through(2).map(({ from: host, address }) => host.pinger(address, { interval: 0.05 }))
      const watches = await Promise.all([
        ...['default', 'red', 'blue'].map((vrf) => watchSessions(node2.routerFrr, vrf)),
        ...['default', 'red', 'blue'].map((vrf) => watchSessions(node1.routerFrr, vrf)),
      ])
      const daemons = await node1.routerFrr.pids()
      await node1.agent.stop()
      node1.agent.datapath = to
      const began = performance.now()
      await node1.agent.start()
      if (killed) {
        await eventually('the first device of the new shape is there', () => carries(node1, to), { everyMs: 10 })
        await node1.agent.kill()
        await node1.agent.start()
      }
      await ready([node1])
      const seconds = ((performance.now() - began) / 1000).toFixed(1)
      await works().catch(async (error: unknown) => {
        const learned = await Promise.all(lab.nodes.map(learnedBy))
        throw new Error([messageOf(error), ...learned].join('\n'), { cause: error })
      })
      const results = await Promise.all(pingers.map((pinger) => pinger.stop()))
      const unharmed = await Promise.all(others.map((pinger) => pinger.stop()))
      const outage = Math.max(...results.map(({ gapMs }) => gapMs))
      t.note(`${from} to ${to}: Ready ${seconds} s after the start of the agent; ${outage} ms without traffic at most`)

      t.step(`${to}: it says so, in the log and by its status`)
      const log = (await node1.agent.log()).slice(told)
      if (!killed) assert.match(log, new RegExp(`changes its shape.*from=${from}.*to=${to}`))
      assert.equal((await node1.agent.status()).datapath?.shape, to)
      assert.match((await node1.agent.cli('status')).stdout, new RegExp(`Datapath: +${to}`))

      t.step(`${to}: everything is as wanted, and nothing else is there`)
      assert.deepEqual(await node1.routerFrr.pids(), daemons, 'no daemon of FRR has died of it')
      await hasVnis(node1, VNIS)
      for (const vni of VNIS) {
        assert.equal((await overlayOf(node1, vni))?.vlan === undefined, to === 'per-vni', `VNI ${vni} is ${to}`)
      }
      for (const vni of [100, 110, 200]) assert.ok(await node1.router.link(routedLink(node1, vni)))
      const before = states.get(to)
      if (before === undefined) states.set(to, await nodeState(node1))
      else await isAgain(node1, before)

      t.step(`${to}: nobody else noticed, and the outage was short`)
      for (const watch of watches) await watch.check()
      for (const [at, { lost }] of unharmed.entries()) {
        const { from: host, address } = through(2)[at] ?? { from: node2, address: '' }
        assert.equal(lost, 0, `${host.name} to ${address}, through node2: ${lost} packets lost`)
      }
      assert.ok(outage <= OUTAGE_MS, `${outage} ms without traffic`)
    }

    await change('single')
    await change('per-vni')
    await change('single', true)

    t.step('a node that nothing is asked of keeps the shape it has, and nothing is written')
    await change('per-vni')
    await node1.agent.stop()
    node1.agent.datapath = undefined
    await node1.agent.start()
    await ready([node1])
    const { datapath, counters } = await node1.agent.status()
    assert.equal(datapath?.shape, 'per-vni')
    assert.doesNotMatch(datapath.reason, /asked for/)
    assert.deepEqual([counters.netlinkWrites, counters.frrCommands], [0, 0])
    t.note(`without --datapath: ${datapath.shape}, ${datapath.reason}`)
  },
}

/** Whether a VXLAN device of that shape is in the router. */
async function carries(node: Parameters<typeof overlayOf>[0], shape: DatapathShape): Promise<boolean> {
  const prefix = shape === 'single' ? 'nlvx' : 'vx'
  return (await node.router.show('link')).some(({ ifname }) => (ifname as string).startsWith(prefix))
}

/** What kernel, zebra and bgpd of a node have learnt of the workloads, for whoever reads why one is not reached. */
async function learnedBy({ name, router, routerFrr }: LabNode): Promise<string> {
  const shows = ['show evpn arp-cache vni all', 'show evpn mac vni all', 'show bgp l2vpn evpn route type 2']
  const [neighbours, fdb, ...told] = await Promise.all([
    router.exec('ip', 'neigh'),
    router.exec('bridge', 'fdb'),
    ...shows.map((show) => routerFrr.vtysh(show)),
  ])
  const workloads = fdb.split('\n').filter((line) => line.startsWith('02:00:'))
  return [`--- ${name}`, neighbours, ...workloads, ...told].join('\n')
}
