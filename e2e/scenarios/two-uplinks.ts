import assert from 'node:assert/strict'
import { established, nextHops, reaches, ready } from '../lab/checks.ts'
import { consistently, eventually } from '../lab/eventually.ts'
import { l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import type { Frr } from '../lab/frr.ts'
import type { Scenario } from '../scenario.ts'

/** The kernel sees that a link has no carrier; BGP alone would need its hold time: 180 s. The rest is for a slow machine. */
const MOST_MS = 10_000

export const scenario: Scenario = {
  name: 'two-uplinks',
  summary: 'two ToRs, ECMP; one of them dies and comes back, traffic goes on',
  async run(lab, t) {
    const [node1, node2] = [lab.node('node1'), lab.node('node2')]
    const hostred = lab.ns('hostred')

    t.step('the agents apply an underlay with two NICs and two neighbours')
    await lab.writeConfig({
      'underlay.yaml': underlay({
        interfaces: [{ name: 'eth1' }, { name: 'eth2' }],
        neighbors: ['192.168.10.1', '192.168.20.1'].map((address) => ({ address, type: 'External', connectTime: 1 })),
      }),
      'red.yaml': l3vni('red'),
    })
    await lab.startAgents()
    await ready(lab.nodes)
    const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red'])))
    await Promise.all(speakers.map((speaker) => established(speaker, ['192.169.10.1', 'fd00:c9:10::1'])))

    t.step('both ways are used: in BGP, in zebra, in the kernel')
    for (const node of lab.nodes) await established(node.routerFrr, ['192.168.10.1', '192.168.20.1'])
    const both = ['192.168.10.1 eth1', '192.168.20.1 eth2']
    await leads(node1.routerFrr, '100.64.0.10/32', both)
    await leads(node2.routerFrr, '100.64.0.10/32', both)
    await leads(lab.router('spine'), '100.65.0.1/32', ['10.0.1.1 eth1', '10.0.1.3 eth2'])
    await eventually('the kernel balances', async () => {
      const route = (await node1.router.routes()).find(({ dst }) => dst === '100.64.0.10')
      return route?.nexthops?.length === 2
    })
    const hash = await node1.router.exec('cat', '/proc/sys/net/ipv4/fib_multipath_hash_policy')
    assert.equal(hash.trim(), '1', 'by ports too: the flows of a tunnel differ in their source port')

    t.step('traffic flows')
    const [own4, own6] = announcedBy('node1', 'red')
    const [far4, far6] = announcedBy('node2', 'red')
    await reaches(hostred, [own4, own6, far4, far6])
    await reaches(node1, [far4, '10.10.0.2'], { from: own4 })
    await reaches(node1, [far6, 'fd00:a::2'], { from: own6 })

    t.step('no ToR is told by a node what the other ToR said')
    for (const tor of ['tor1', 'tor2']) {
      for (const family of ['ipv4 unicast', 'ipv6 unicast', 'l2vpn evpn']) {
        const paths = pathsFromNodes(await lab.router(tor).bgp(`show bgp ${family} json`))
        if (family !== 'ipv6 unicast') assert.ok(paths.length > 0, `${tor} has ${family} routes of the nodes`)
        assert.deepEqual(
          [...new Set(paths)].toSorted(),
          [...new Set(paths.filter(isOwn))].toSorted(),
          `${tor} ${family}`,
        )
      }
    }

    const flows = () =>
      [
        ['node1 to hostred', node1.pinger('10.10.0.2', { from: own4 })],
        ['node1 to hostred, IPv6', node1.pinger('fd00:a::2', { from: own6 })],
        ['hostred to node2', hostred.pinger(far4)],
        ['node1 to node2', node1.pinger(far4, { from: own4 })],
      ] as const

    t.step('tor1 dies')
    const during = flows()
    await lab.powerOff('tor1')
    await leads(node1.routerFrr, '100.64.0.10/32', ['192.168.20.1 eth2'])
    await leads(lab.router('spine'), '100.65.0.1/32', ['10.0.1.3 eth2'])
    await reaches(hostred, [own4, own6, far4, far6])
    await reaches(node1, [far4, '10.10.0.2'], { from: own4 })
    await consistently('traffic goes on', () => hostred.reaches(own4), { forMs: 3000 })
    for (const [name, pinger] of during) {
      const { sent, lost, gapMs } = await pinger.stop()
      t.note(`tor1 dies, ${name}: ${lost} of ${sent} packets lost, longest gap ${gapMs} ms`)
      assert.ok(gapMs <= MOST_MS, `${name}: ${gapMs} ms without an answer`)
    }

    t.step('tor1 comes back')
    const back = flows()
    await lab.powerOn('tor1')
    for (const node of lab.nodes) await established(node.routerFrr, ['192.168.10.1', '192.168.20.1'])
    await leads(node1.routerFrr, '100.64.0.10/32', both)
    await leads(lab.router('spine'), '100.65.0.1/32', ['10.0.1.1 eth1', '10.0.1.3 eth2'])
    await reaches(hostred, [own4, own6, far4, far6])
    for (const [name, pinger] of back) {
      const { sent, lost, gapMs } = await pinger.stop()
      t.note(`tor1 returns, ${name}: ${lost} of ${sent} packets lost, longest gap ${gapMs} ms`)
      assert.ok(gapMs <= MOST_MS, `${name}: ${gapMs} ms without an answer`)
    }
  },
}

/** AS paths of all routes, valid or not, that start at a node. */
function pathsFromNodes(answer: unknown): string[] {
  const found: string[] = []
  JSON.stringify(answer, (key, value: unknown) => {
    if (key === 'path' && typeof value === 'string' && value.startsWith('64514')) found.push(value)
    return value
  })
  return found
}

/** A node's own routes, and those of its host. */
function isOwn(path: string): boolean {
  return path === '64514' || path === '64514 64515'
}

async function leads(frr: Frr, prefix: string, hops: readonly string[]): Promise<void> {
  await eventually(`${frr.name} routes ${prefix} to ${hops.join(' and ')}`, async () => {
    const now = await nextHops(frr, prefix)
    if (now.join() !== hops.join()) throw new Error(`to ${now.join(' and ') || 'nowhere'}`)
    return true
  })
}
