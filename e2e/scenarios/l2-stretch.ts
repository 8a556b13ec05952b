import assert from 'node:assert/strict'
import { hasEvpnRoutes, reaches, ready, typeThree, typeTwo } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { remoteMacs } from '../lab/overlay.ts'
import { l2vni, underlay } from '../lab/resources.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const SEGMENT = { bridge: 'br-hs-110', mtu: 9450 }
const HOSTL2 = ['10.110.0.100', 'fd00:110::100']

export const scenario: Scenario = {
  name: 'l2-stretch',
  summary: 'one subnet on both nodes and behind the remote leaf; MACs in EVPN and in the kernel; a workload moves',
  async run(lab, t) {
    const [node1, node2, leaf] = [lab.node('node1'), lab.node('node2'), lab.router('leaf')]

    t.step('the agents apply a segment without a VRF')
    const hostMaster = { type: 'LinuxBridge', autoCreate: true } as const
    await lab.writeConfig({ 'underlay.yaml': underlay(), 'segment.yaml': l2vni('stretch', { vni: 110, hostMaster }) })
    await lab.startAgents()
    await ready(lab.nodes)

    t.step('every VTEP knows the others')
    await hasEvpnRoutes(leaf, [typeThree('100.65.0.1')], '100.65.0.1')
    await hasEvpnRoutes(leaf, [typeThree('100.65.0.2')], '100.65.0.2')
    for (const [frr, remotes] of [
      [leaf, ['100.65.0.1', '100.65.0.2']],
      [node1.routerFrr, ['100.64.0.10', '100.65.0.2']],
      [node2.routerFrr, ['100.64.0.10', '100.65.0.1']],
    ] as const) {
      await eventually(`${frr.name} floods VNI 110 to ${remotes.join(' and ')}`, async () => {
        const { remoteVteps = [] } = await frr.zebra('show evpn vni 110 json')
        const ips = (remoteVteps as ({ ip: string } | string)[]).map((vtep) =>
          typeof vtep === 'string' ? vtep : vtep.ip,
        )
        if (ips.sort().join() !== remotes.join()) throw new Error(`to ${ips.join(' and ') || 'nobody'}`)
        return true
      })
    }

    t.step('workloads on both nodes and the host behind the leaf reach each other')
    const w1 = await addWorkload(lab, node1, {
      ...SEGMENT,
      name: 'w1',
      addresses: ['10.110.0.11/24', 'fd00:110::11/64'],
    })
    const w2 = await addWorkload(lab, node2, {
      ...SEGMENT,
      name: 'w2',
      addresses: ['10.110.0.12/24', 'fd00:110::12/64'],
    })
    await reaches(w1, ['10.110.0.12', 'fd00:110::12', ...HOSTL2])
    await reaches(w2, ['10.110.0.11', 'fd00:110::11', ...HOSTL2])
    await reaches(lab.ns('hostl2'), ['10.110.0.11', 'fd00:110::11', '10.110.0.12', 'fd00:110::12'])

    t.step('in one hop: bridged, not routed')
    await reaches(w1, ['10.110.0.12', 'fd00:110::12', ...HOSTL2], { ttl: 1 })

    t.step('full packets fit')
    await reaches(w1, ['10.110.0.12', '10.110.0.100'], { size: 9450 - 28 })

    t.step('MACs are type-2 routes, and forwarding entries of the kernel')
    await hasEvpnRoutes(leaf, [typeTwo(w1.mac)], '100.65.0.1')
    await hasEvpnRoutes(leaf, [typeTwo(w2.mac)], '100.65.0.2')
    const [nic] = await lab.ns('hostl2').show('link', 'show', 'dev', 'eth1')
    const far: string = nic.address
    for (const [node, mac, vtep] of [
      [node1, w2.mac, '100.65.0.2'],
      [node1, far, '100.64.0.10'],
      [node2, w1.mac, '100.65.0.1'],
      [node2, far, '100.64.0.10'],
    ] as const) {
      await eventually(`${node.name} sends ${mac} to ${vtep}`, async () => {
        const entries = await remoteMacs(node, 110)
        return entries.some((entry) => entry.mac === mac && entry.dst === vtep)
      })
    }
    const local = (await node1.router.bridge('fdb', 'show', 'dev', 'pe-110')).map(({ mac }) => mac as string)
    assert.ok(local.includes(w1.mac), `the router of node1 learnt ${w1.mac} on pe-110`)

    t.step('a workload moves to the other node and keeps its addresses')
    const pinger = lab.ns('hostl2').pinger('10.110.0.11', { interval: 0.05 })
    await lab.removeNamespace('w1')
    const moved = await addWorkload(lab, node2, {
      ...SEGMENT,
      name: 'w1',
      mac: w1.mac,
      addresses: ['10.110.0.11/24', 'fd00:110::11/64'],
    })
    await moved.attempt(['arping', '-U', '-c', '1', '-I', 'eth0', '10.110.0.11'])
    await hasEvpnRoutes(leaf, [typeTwo(w1.mac)], '100.65.0.2')
    await reaches(lab.ns('hostl2'), ['10.110.0.11', 'fd00:110::11'])
    await reaches(moved, ['10.110.0.12', 'fd00:110::12', ...HOSTL2])
    const { gapMs } = await pinger.stop()
    t.note(`moving a workload: ${gapMs} ms without an answer, making its namespace included`)
    await eventually('node1 knows it behind node2', async () => {
      const entries = await remoteMacs(node1, 110)
      return entries.some((entry) => entry.mac === w1.mac && entry.dst === '100.65.0.2')
    })
  },
}
