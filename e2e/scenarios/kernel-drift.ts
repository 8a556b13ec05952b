import { established, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { isAgain, nodeState } from '../lab/node-state.ts'
import { deleteVxlanDevice, routedLink, takeOut } from '../lab/overlay.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

export const scenario: Scenario = {
  name: 'kernel-drift',
  summary:
    'somebody takes links, VLANs and addresses out of the router: the agent notices by itself and puts them back',
  timeoutSeconds: 180,
  async run(lab, t) {
    const node = lab.node('node1')
    t.step('a VPN with a segment in it, and one beside it')
    await node.writeConfig({
      'underlay.yaml': underlay(),
      'vpns.yaml': [l3vni('red'), l2vni('segment110'), l2vni('segment300')],
    })
    await node.agent.start()
    await ready([node])
    await established(await startFrrSpeaker(node, ['red']), ['192.169.10.1', 'fd00:c9:10::1'])
    const workload = { bridge: 'br-hs-110', gateways: ['10.110.0.1', 'fd00:110::1'] }
    const w1 = await addWorkload(lab, node, {
      ...workload,
      name: 'w1',
      addresses: ['10.110.0.11/24', 'fd00:110::11/64'],
    })
    const w2 = await addWorkload(lab, node, { name: 'w2', bridge: 'br-hs-300', addresses: ['10.30.0.11/24'] })
    const works = async (): Promise<void> => {
      await reaches(lab.ns('hostred'), [...announcedBy('node1', 'red'), '10.110.0.11', 'fd00:110::11'])
      await reaches(w1, ['10.10.0.2', 'fd00:a::2', '10.110.0.100'])
      await reaches(w2, ['10.30.0.100'])
    }
    await works()
    const whole = await nodeState(node)

    const drifts: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['the VXLAN device of the segment', () => deleteVxlanDevice(node, 110)],
      ["the VXLAN device of the VPN's VNI", () => deleteVxlanDevice(node, 100)],
      ['the segment from what carries it', () => takeOut(node, 110)],
      ['the link with the gateway', () => node.router.ip(`link del ${routedLink(node, 110)}`)],
      ['a gateway address', () => node.router.ip(`addr del 10.110.0.1/24 dev ${routedLink(node, 110)}`)],
      ["the segment's veth", () => node.router.ip('link del pe-110')],
      ['the veth from its bridge', () => node.router.ip('link set pe-300 nomaster')],
    ]
    for (const [what, drift] of drifts) {
      t.step(`somebody deletes ${what}`)
      const before = (await node.agent.status()).counters.netlinkWrites
      const began = performance.now()
      await drift()
      await eventually('the agent writes to the kernel', async () => {
        return (await node.agent.status()).counters.netlinkWrites > before
      })
      await ready([node])
      await works()
      t.note(`${what}: traffic of all kinds is back after ${Math.round(performance.now() - began)} ms`)
      await isAgain(node, whole)
    }
  },
}
