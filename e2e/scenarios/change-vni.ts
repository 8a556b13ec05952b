import assert from 'node:assert/strict'
import { hasVnis, thereAndBack } from '../lab/change.ts'
import { doesNotReach, nextHops, reaches } from '../lab/checks.ts'
import { hasNothingOf, overlayOf, routedLink } from '../lab/overlay.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, sessionsWith } from '../lab/speaker.ts'
import { addWorkload, type Workload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const HOSTL2 = ['10.110.0.100', 'fd00:110::100']
const hostMaster = { type: 'LinuxBridge', name: 'br-web', autoCreate: true } as const
const files = (layer3: number, layer2: number) => ({
  'underlay.yaml': underlay(),
  'red.yaml': [l3vni('red', { vni: layer3 }), l2vni('web', { vni: layer2, hostMaster })],
})

export const scenario: Scenario = {
  name: 'change-vni',
  summary: 'an L3VNI and an L2VNI get other numbers, and their old ones again; another VPN does not notice',
  async run(lab, t) {
    const [node1, node2] = [lab.node('node1'), lab.node('node2')]
    const workloads: Workload[] = []
    const [from1, from2] = [announcedBy('node1', 'red'), announcedBy('node2', 'red')]
    const amongNodes = async (): Promise<void> => {
      for (const family of [0, 1] as const) await reaches(node1, [from2[family]], { from: from1[family] })
      await reaches(workloads[0] ?? node1, ['10.110.0.12', 'fd00:110::12'], { ttl: 1 })
    }
    await thereAndBack(lab, t, {
      one: files(100, 110),
      other: files(150, 111),
      sessions: (node) => sessionsWith(node.name, ['red']),
      async prepare() {
        for (const [node, name] of [
          [node1, 'w1'],
          [node2, 'w2'],
        ] as const) {
          const number = `1${name.slice(-1)}`
          const addresses = [`10.110.0.${number}/24`, `fd00:110::${number}/64`]
          workloads.push(await addWorkload(lab, node, { name, bridge: 'br-web', addresses }))
        }
      },
      async oneWorks() {
        await hasVnis(node1, [100, 110, 200])
        await hasNothingOf(node1, [150, 111])
        await amongNodes()
        await reaches(lab.ns('hostred'), [...from1, ...from2])
        await reaches(lab.ns('hostl2'), ['10.110.0.11', 'fd00:110::11', '10.110.0.12', 'fd00:110::12'])
      },
      async otherWorks() {
        await hasVnis(node1, [111, 150, 200])
        await hasNothingOf(node1, [100, 110])
        assert.notEqual(await overlayOf(node1, 150), undefined, 'something carries VNI 150')
        await amongNodes()
        assert.deepEqual(await nextHops(node1.routerFrr, `${from2[0]}/32`, 'red'), [
          `100.65.0.2 ${routedLink(node1, 150)}`,
        ])
        // The leaf stays with the old numbers: it is in other VPNs now.
        await doesNotReach(lab.ns('hostred'), [...from1, ...from2])
        await doesNotReach(workloads[0] ?? node1, HOSTL2)
      },
    })
  },
}
