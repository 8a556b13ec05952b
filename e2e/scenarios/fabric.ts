import assert from 'node:assert/strict'
import { eventually } from '../lab/eventually.ts'
import type { Scenario } from '../scenario.ts'

export const scenario: Scenario = {
  name: 'fabric',
  summary: 'the fabric itself: sessions of spine, ToRs and leaf, the leaf as a VTEP, its hosts in their VRFs',
  async run(lab, t) {
    t.step('sessions')
    for (const [router, peers] of Object.entries({
      tor1: ['10.0.1.0', 'fd00:1:1::'],
      tor2: ['10.0.1.2', 'fd00:1:2::'],
      leaf: ['10.0.1.4', 'fd00:1:3::'],
    })) {
      for (const peer of peers) {
        await eventually(`${router} has a session with ${peer}`, () => lab.router(router).established(peer))
      }
    }

    t.step('the leaf is a VTEP with two L3VNIs and two L2VNIs')
    const vnis = await eventually('all VNIs', async () => {
      const shown = await lab.router('leaf').zebra('show evpn vni json')
      return Object.keys(shown).length === 4 ? shown : null
    })
    assert.deepEqual(
      Object.values(vnis as Record<string, { vni: number; type: string; tenantVrf: string }>)
        .map(({ vni, type, tenantVrf }) => `${vni} ${type} ${tenantVrf}`)
        .sort(),
      ['100 L3 red', '110 L2 red', '200 L3 blue', '300 L2 default'],
    )
    await eventually('tor2 hears of the VTEP', async () => {
      const route = await lab.router('tor2').bgp('show bgp ipv4 unicast 100.64.0.10/32 json')
      return route.paths !== undefined
    })
    await eventually('tor1 relays type-5 routes with the next hop unchanged', async () => {
      const text = JSON.stringify(await lab.router('tor1').bgp('show bgp l2vpn evpn route type prefix json'))
      return text.includes('10.10.0.0') && text.includes('100.64.0.10')
    })

    t.step("the leaf's hosts are in their VRFs")
    for (const [host, gateways] of Object.entries({
      hostred: ['10.10.0.1', 'fd00:a::1', '10.110.0.100', 'fd00:110::100'],
      hostblue: ['10.20.0.1', 'fd00:b::1'],
      hostl2: ['10.110.0.1', 'fd00:110::1', '10.10.0.2', 'fd00:a::2'],
    })) {
      for (const gateway of gateways) {
        await eventually(`${host} reaches ${gateway}`, () => lab.ns(host).reaches(gateway))
      }
    }

    t.step('VRFs are closed')
    const miss = await lab.ns('hostblue').ping('10.10.0.2')
    assert.equal(miss.received, 0, 'hostblue must not reach hostred')
    assert.match(miss.text, /Unreachable/, 'the blue VRF says unreachable')
  },
}
