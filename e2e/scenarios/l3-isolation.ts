import assert from 'node:assert/strict'
import { startCapture } from '../lab/capture.ts'
import { doesNotReach, established, evpnRoutes, nextHops, reaches, ready, typeFive } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

const ROUTER = { red: ['192.169.10.1', 'fd00:c9:10::1'], blue: ['192.169.20.1', 'fd00:c9:20::1'] } as const
const HOSTRED = ['10.10.0.2', 'fd00:a::2']
const HOSTBLUE = ['10.20.0.2', 'fd00:b::2']
/** Of the underlay: the ToR, a remote VTEP, the router's own NIC and VTEP; and what nobody has. */
const UNDERLAY = ['192.168.10.1', 'fd00:10::1', '100.64.0.10', '192.168.10.11', 'fd00:10::11', '100.65.0.1']
const OUTSIDE = [...UNDERLAY, '203.0.113.7', '2001:db8::7']

export const scenario: Scenario = {
  name: 'l3-isolation',
  summary: 'red cannot reach blue, and a miss in a VRF does not leak into the underlay: nothing of it on the NIC',
  async run(lab, t) {
    const node1 = lab.node('node1')

    t.step('two VPNs on both nodes')
    await lab.writeConfig({ 'underlay.yaml': underlay(), 'vpns.yaml': [l3vni('red'), l3vni('blue')] })
    await lab.startAgents()
    await ready(lab.nodes)
    const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red', 'blue'])))
    await Promise.all(speakers.map((speaker) => established(speaker, [...ROUTER.red, ...ROUTER.blue])))

    t.step('each works')
    const red = announcedBy('node1', 'red')
    const blue = announcedBy('node1', 'blue')
    await reaches(lab.ns('hostred'), [...red, ...announcedBy('node2', 'red')])
    await reaches(lab.ns('hostblue'), [...blue, ...announcedBy('node2', 'blue')])

    t.step('their routes stay apart')
    const routes = await evpnRoutes(lab.router('leaf'))
    for (const [prefix, target] of [
      [typeFive(`${red[0]}/32`), 'RT:64514:100'],
      [typeFive(`${red[1]}/128`), 'RT:64514:100'],
      [typeFive(`${blue[0]}/32`), 'RT:64514:200'],
      [typeFive(`${blue[1]}/128`), 'RT:64514:200'],
    ] as const) {
      const targets = routes.get(prefix)?.map(({ communities }) => communities.filter((text) => text.startsWith('RT:')))
      assert.deepEqual(targets, [[target]], `${prefix} has exactly one route target`)
    }
    for (const prefix of ['10.20.0.0/24', 'fd00:b::/64', `${blue[0]}/32`]) {
      assert.deepEqual(await nextHops(node1.routerFrr, prefix, 'red'), [], `${prefix} is not in red`)
    }
    for (const prefix of ['10.10.0.0/24', 'fd00:a::/64', `${red[0]}/32`]) {
      assert.deepEqual(await nextHops(node1.routerFrr, prefix, 'blue'), [], `${prefix} is not in blue`)
    }

    t.step('from behind the leaf, one VPN does not reach the other')
    await doesNotReach(lab.ns('hostred'), [...blue, ...announcedBy('node2', 'blue')])
    await doesNotReach(lab.ns('hostblue'), [...red, ...announcedBy('node2', 'red')])

    t.step('from a node: packets for blue and for the underlay, sent into red on purpose, end in the router')
    const wrong = [...HOSTBLUE, ...OUTSIDE]
    const via = (address: string) => `${address} via ${ROUTER.red[address.includes(':') ? 1 : 0]}`
    await node1.ip(...wrong.map((address) => `route replace ${via(address)}`))
    const capture = await startCapture(node1.router, 'eth1', 'icmp or icmp6 or udp port 4789')
    // Otherwise the kernel sends one ICMP error a second to a host.
    await node1.router.shell('echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit')
    const answered: string[] = []
    for (const address of wrong) {
      await eventually(`the router says that red has no way to ${address}`, async () => {
        const { received, text } = await node1.ping(address, { from: red[address.includes(':') ? 1 : 0] })
        if (received > 0) answered.push(address)
        else if (!/Unreachable|No route/i.test(text)) throw new Error(text)
        return true
      })
    }
    assert.deepEqual(answered, [], 'red must not reach them')

    t.step('and from blue to red')
    const back = HOSTRED.map((address) => `${address} via ${ROUTER.blue[address.includes(':') ? 1 : 0]}`)
    await node1.ip(...back.map((route) => `route replace ${route}`))
    for (const address of HOSTRED) {
      const { received } = await node1.ping(address, {
        from: blue[address.includes(':') ? 1 : 0],
        count: 3,
        interval: 0.1,
      })
      assert.equal(received, 0, `blue must not reach ${address}`)
    }
    await node1.ip(...back.map((route) => `route del ${route}`), ...wrong.map((address) => `route del ${via(address)}`))

    t.step('the capture has seen what it should see')
    await reaches(node1.router, ['192.168.10.1', 'fd00:10::1'])
    await reaches(node1, HOSTRED, { from: red[0] })
    const seen = await eventually('the capture has both kinds of packets', () => {
      const lines = capture.lines().filter((line) => line.includes('echo request'))
      const has = (text: string) => lines.some((line) => line.includes(text))
      return has('> 192.168.10.1:') && has('> 10.10.0.2:') ? lines : null
    })
    await capture.stop()

    t.step('and nothing that it should not')
    const sources = [...red, ...blue]
    const leaked = seen.filter(
      (line) =>
        HOSTBLUE.some((address) => line.includes(`> ${address}:`)) ||
        (sources.some((source) => line.includes(` ${source} >`)) && !HOSTRED.some((to) => line.includes(`> ${to}:`))),
    )
    assert.deepEqual(leaked, [], 'nothing of it left by the NIC')
    t.note(`${seen.length} echo requests captured on the NIC, none of them leaked`)
  },
}
