import assert from 'node:assert/strict'
import type { KernelObject, LinkObject, Namespace as Side } from '../../agent/kernel/objects.ts'
import { ready } from '../lab/checks.ts'
import { run } from '../lab/command.ts'
import { DEMO, demoFiles } from '../lab/demo-files.ts'
import type { LabNode } from '../lab/node.ts'
import { overlayOf } from '../lab/overlay.ts'
import { program } from '../lab/program.ts'
import type { Scenario } from '../scenario.ts'

interface Printed {
  readonly kernel: readonly KernelObject[]
  readonly frr: string
  readonly revision: string
}

export const scenario: Scenario = {
  name: 'plan-comes-true',
  summary: "what `nodeleaf plan` prints of the demo's files is what the agents then make, no more and no less",
  async run(lab, t) {
    t.step('nodeleaf plan, before anything runs')
    const plans = new Map<LabNode, Printed>()
    for (const node of lab.nodes) {
      const nic = (await node.link('eth1')) as { mtu: number }
      const words = ['plan', '-f', DEMO, '--node', node.name, '--mtu', `eth1=${nic.mtu}`]
      if (lab.datapath !== undefined) words.push('--datapath', lab.datapath)
      plans.set(node, JSON.parse(await run([...program('cli'), ...words, '-o', 'json'])) as Printed)
    }

    t.step('the agents apply the same files')
    await lab.writeConfig(await demoFiles())
    await lab.startAgents()
    await ready(lab.nodes)

    for (const [node, printed] of plans) {
      t.step(`${node.name}: links, addresses and routes are those printed`)
      assert.equal((await node.agent.status()).revision.applied, printed.revision)
      for (const side of ['router', 'host'] as const) {
        const planned = printed.kernel.filter(({ namespace }) => namespace === side)
        const made = await ownLinks(node, side)
        const links = planned.filter((object): object is LinkObject => object.type === 'link' && object.name !== 'lo')
        assert.deepEqual(made.map(described).sort(), links.map(expected).sort())

        const addresses = planned.flatMap((o) => (o.type === 'address' ? [`${o.link} ${o.address}`] : []))
        for (const address of addresses) {
          assert.ok(made.flatMap(addressesOf).includes(address), `${side} has ${address}`)
        }
        const nics = new Set(links.filter(({ kind }) => kind === 'nic').map(({ name }) => name))
        const unplanned = made
          .filter(({ ifname }) => !nics.has(ifname))
          .flatMap(addressesOf)
          .filter((text) => !text.includes(' fe80:') && !addresses.includes(text))
        assert.deepEqual(unplanned, [], `${side} has no other addresses`)
      }
      for (const object of printed.kernel) {
        if (object.type !== 'route') continue
        const routes = await node.router.routes(String(object.table))
        const found = routes.some(
          ({ dst, type, dev, metric = 0 }) =>
            normalized(dst, object.destination) === object.destination &&
            metric === object.metric &&
            (object.target.type === 'unreachable' ? type === 'unreachable' : dev === linkOf(object.target)),
        )
        assert.ok(found, `route ${object.destination} in table ${object.table}`)
      }
      for (const object of printed.kernel) {
        if (object.type !== 'vlan') continue
        const { bridge, vxlan, vid: vlan, vni } = object
        assert.deepEqual(await overlayOf(node, vni), { bridge, vxlan, vlan })
      }
      for (const object of printed.kernel) {
        if (object.type !== 'sysctl' || object.optional) continue
        const value = await (object.namespace === 'router' ? node.router : node).exec('cat', `/proc/sys/${object.path}`)
        assert.equal(value.trim().replaceAll('\t', ' '), object.value, object.path)
      }

      t.step(`${node.name}: FRR runs the lines printed`)
      assert.deepEqual(lines(await node.routerFrr.vtysh('show running-config')), lines(printed.frr))
    }
  },
}

interface IpLink {
  readonly ifname: string
  readonly mtu: number
  readonly address: string
  readonly master?: string
  readonly ifalias?: string
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: Record<string, unknown> }
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number }[]
}

/** In the router's namespace everything but `lo` is the agent's, in the host's what carries its mark. */
async function ownLinks(node: LabNode, side: Side): Promise<IpLink[]> {
  const links = (await (side === 'router' ? node.router : node).show('addr')) as IpLink[]
  return links.filter(({ ifname, ifalias = '' }) =>
    side === 'router' ? ifname !== 'lo' : ifalias.startsWith('nodeleaf:'),
  )
}

function described({ ifname, mtu, address, master, linkinfo }: IpLink): string {
  const { info_kind: kind, info_data: data = {} } = linkinfo ?? {}
  const details = { vrf: `table ${data.table}`, vxlan: `id ${data.id} local ${data.local}`, vlan: `vlan ${data.id}` }[
    kind ?? ''
  ]
  const fixed = (kind === 'bridge' || kind === 'vlan') && address.startsWith('02:6e:')
  return [ifname, `mtu ${mtu}`, ...(master ? [`in ${master}`] : []), ...(fixed ? [address] : []), details].join(' ')
}

/** The same words for what was printed; what a plan leaves to the kernel is the kernel's default. */
function expected(link: LinkObject): string {
  const mtu = link.mtu ?? (link.kind === 'vrf' ? 65575 : 1500)
  const details =
    link.kind === 'vrf'
      ? `table ${link.table}`
      : link.kind === 'vxlan'
        ? `id ${link.vni ?? 0} local ${link.local}`
        : link.kind === 'vlan'
          ? `vlan ${link.vid}`
          : undefined
  const fixed = (link.kind === 'bridge' || link.kind === 'vlan') && link.mac !== undefined ? [link.mac] : []
  return [link.name, `mtu ${mtu}`, ...(link.master ? [`in ${link.master}`] : []), ...fixed, details].join(' ')
}

function addressesOf({ ifname, addr_info: addresses }: IpLink): string[] {
  return addresses.map(({ local, prefixlen }) => `${ifname} ${local}/${prefixlen}`)
}

/** `ip` prints `default`, and host routes without their length. */
function normalized(destination: string, like: string): string {
  if (destination === 'default') return like.includes(':') ? '::/0' : '0.0.0.0/0'
  return destination.includes('/') ? destination : `${destination}/${destination.includes(':') ? 128 : 32}`
}

function linkOf(target: { readonly type: string; readonly link?: string }): string | undefined {
  return target.link
}

/** Configuration lines without FRR's own header and block ends, each with the blocks it stands in. */
function lines(text: string): string[] {
  const own = /^(Building|Current|frr version|frr defaults|hostname|log |service |no ipv6? forwarding|exit|end$|!|$)/
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => !own.test(line.trim()))
    .sort()
}
