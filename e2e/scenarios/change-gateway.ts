import assert from 'node:assert/strict'
import { thereAndBack } from '../lab/change.ts'
import { evpnRoutes, reaches } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { routedLink } from '../lab/overlay.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const GATEWAY_MAC = '02:6e:6c:00:00:6e'
const files = (gatewayIPs: string[]) => ({
  'underlay.yaml': underlay(),
  'red.yaml': [l3vni('red'), l2vni('segment110', { gatewayIPs })],
})
const ONE = ['10.110.0.1/24', 'fd00:110::1/64']
/** Another subnet for IPv4, another address of the same subnet for IPv6. */
const OTHER = ['10.111.0.1/24', 'fd00:110::fe/64']

export const scenario: Scenario = {
  name: 'change-gateway',
  summary: "a segment's anycast gateway gets other addresses, and its old ones again; bridging goes on meanwhile",
  async run(lab, t) {
    const [node1, node2] = [lab.node('node1'), lab.node('node2')]
    const works = async (gateways: readonly string[], former: readonly string[], subnet: string): Promise<void> => {
      for (const node of lab.nodes) {
        const { router } = node
        const [link] = await router.show('addr', 'show', 'dev', routedLink(node, 110))
        const addresses = link.addr_info
          .filter(({ scope }: { scope: string }) => scope === 'global')
          .map(({ local, prefixlen }: { local: string; prefixlen: number }) => `${local}/${prefixlen}`)
        assert.deepEqual(addresses.sort(), [...gateways].sort(), `${router.name} has the gateways and no others`)
        assert.equal(link.address, GATEWAY_MAC)
      }
      const [v4 = '', v6 = ''] = gateways.map((gateway) => gateway.split('/')[0] ?? '')
      for (const name of ['w1', 'w2']) {
        await lab.ns(name).ip(`route replace default via ${v4}`, `route replace default via ${v6}`)
        await reaches(lab.ns(name), [v4, v6, '10.10.0.2', 'fd00:a::2'])
      }
      await reaches(lab.ns('hostred'), [`${subnet}.11`, `${subnet}.12`, 'fd00:110::11', 'fd00:110::12'])
      const [prefix, gone] = [gateways, former].map((list) => `[5]:[0]:[24]:[${list[0]?.replace('.1/24', '.0')}]`)
      await eventually(`the nodes announce ${prefix} in place of ${gone}`, async () => {
        const routes = await evpnRoutes(lab.router('spine'))
        const from = (route = '') => (routes.get(route) ?? []).filter(({ nextHop }) => nextHop.startsWith('100.65.'))
        return new Set(from(prefix).map(({ nextHop }) => nextHop)).size === 2 && from(gone).length === 0
      })
    }
    let bridged: ReturnType<typeof node1.pinger> | undefined
    await thereAndBack(lab, t, {
      one: files(ONE),
      other: files(OTHER),
      async prepare() {
        for (const [node, name, number] of [
          [node1, 'w1', 11],
          [node2, 'w2', 12],
        ] as const) {
          const addresses = [`10.110.0.${number}/24`, `fd00:110::${number}/64`, `10.111.0.${number}/24`]
          await addWorkload(lab, node, { name, bridge: 'br-hs-110', addresses })
        }
        await reaches(lab.ns('w1'), ['10.110.0.12', 'fd00:110::12'])
        bridged = lab.ns('w1').pinger('10.110.0.12', { interval: 0.05, ttl: 1 })
      },
      oneWorks: () => works(ONE, OTHER, '10.110.0'),
      otherWorks: () => works(OTHER, ONE, '10.111.0'),
    })
    t.step('bridging went on')
    const { lost, sent } = (await bridged?.stop()) ?? { lost: NaN, sent: 0 }
    t.note(`bridged: ${lost} of ${sent} packets lost`)
    assert.equal(lost, 0)
  },
}
