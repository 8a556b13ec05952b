import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { sh } from './golden/machine.ts'
import { Kernel } from './kernel.ts'
import { listBridgeVlans } from './netlink/bridge-vlan.ts'
import { getLink } from './netlink/link.ts'
import { Netlink } from './netlink/netlink.ts'
import { listVnis } from './netlink/vni-filter.ts'
import type { KernelObject, LinkObject, VlanObject } from './objects.ts'
import { describe, type Operation } from './operation.ts'

const NETNS = 'nlvlans'
const underlay = { kind: 'Underlay', name: 'fabric' } as const
const port = { learning: false, neighSuppress: true, vlanTunnel: true }
const common = { type: 'link', namespace: 'router', up: true, addrGenMode: 'none', for: underlay } as const
const bridge: LinkObject = { ...common, kind: 'bridge', name: 'nlbr0', vlanFiltering: true, vlanDefaultPvid: 0 }
const vxlan: LinkObject = {
  ...common,
  kind: 'vxlan',
  name: 'nlvx0',
  master: 'nlbr0',
  local: '100.65.0.1',
  port: 4789,
  bridgePort: port,
}

function vlan(vid: number, vni: number, more: Partial<VlanObject> = {}): VlanObject {
  return {
    type: 'vlan',
    namespace: 'router',
    bridge: 'nlbr0',
    vxlan: 'nlvx0',
    vid,
    vni,
    port: true,
    tunnel: true,
    filter: true,
    self: false,
    macs: [],
    for: { kind: 'L2VNI', name: `net${vni}` },
    ...more,
  }
}

function to(what: Operation['do'], object: KernelObject, was?: KernelObject): Operation {
  const stage = what === 'delete' ? 'remove' : 'raise'
  return { do: what, stage, object, for: object.for, text: describe(what, object), after: [], ...(was && { was }) }
}

let kernel: Kernel
let netlink: Netlink
const stateDir = mkdtempSync(join(tmpdir(), 'nodeleaf-'))

test.beforeEach(async (t) => {
  kernel = Kernel.open({ netns: NETNS, stateDir })
  netlink = Netlink.open({ netns: `/run/netns/${NETNS}` })
  t.deepEqual(await kernel.apply([to('create', bridge), to('create', vxlan)]), [])
})
test.afterEach.always(async () => {
  netlink.close()
  await kernel.uninstall()
  kernel.close()
  sh(`ip netns del ${NETNS} 2>/dev/null || true`)
})
test.after.always(() => rmSync(stateDir, { recursive: true, force: true }))

function index(name: string): number {
  return getLink(netlink, name)?.index ?? 0
}

const plain = { pvid: false, untagged: false }

function vlansOf(name: string) {
  const [found] = listBridgeVlans(netlink, { link: index(name) })
  return { vlans: found?.vlans, tunnels: found?.tunnels }
}

function vnis() {
  return listVnis(netlink, { link: index('nlvx0') })[0]?.vnis.map(({ vni, last }) => [vni, last ?? vni])
}

function ownMacs() {
  return sh(`bridge -n ${NETNS} fdb show dev nlbr0`)
    .split('\n')
    .filter((line) => line.startsWith('02:6e') && line.includes('permanent'))
    .map((line) => /^(\S+).*vlan (\d+)/.exec(line)?.slice(1, 3).join(' '))
    .toSorted()
}

const thousand = Array.from({ length: 1000 }, (_, at) => vlan(2 + at, 10000 + at, { self: at < 10 }))

test.serial('a thousand VLANs are made in three messages, and deleted in as many', async (t) => {
  const { writes } = kernel
  t.deepEqual(await kernel.apply(thousand.map((object) => to('create', object))), [])
  t.is(kernel.writes - writes, 3)
  t.deepEqual(vlansOf('nlvx0'), {
    vlans: [{ vid: 2, last: 1001, ...plain }],
    tunnels: [{ vid: 2, last: 1001, vni: 10000 }],
  })
  t.deepEqual(vlansOf('nlbr0').vlans, [{ vid: 2, last: 11, ...plain }])
  t.deepEqual(vnis(), [[10000, 10999]])
  const half = thousand.filter(({ vid }) => vid % 2 === 0)
  t.deepEqual(await kernel.apply(half.map((object) => to('delete', object, object))), [])
  t.is(vlansOf('nlvx0').tunnels?.length, 500)
  t.is(vnis()?.length, 500)
  t.deepEqual(await kernel.apply(thousand.map((object) => to('delete', object, object))), [])
  t.deepEqual(vlansOf('nlvx0'), { vlans: [], tunnels: [] })
  t.deepEqual(vlansOf('nlbr0').vlans, [])
  t.is(vnis(), undefined)
})

test.serial('of many the one that is refused fails alone, and leaves nothing behind', async (t) => {
  sh(`ip -n ${NETNS} link add other type vxlan external vnifilter local 100.65.0.1 dstport 4789
    bridge -n ${NETNS} vni add dev other vni 10005
    bridge -n ${NETNS} vlan add dev nlvx0 vid 100; bridge -n ${NETNS} vlan add dev nlvx0 vid 100 tunnel_info id 10007`)
  const ten = Array.from({ length: 10 }, (_, at) => vlan(2 + at, 10000 + at))
  const failures = await kernel.apply(ten.map((object) => to('create', object)))
  t.deepEqual(
    failures.map(({ for: ref, reason }) => [ref.name, reason]),
    [
      ['net10005', 'KernelRefused'],
      ['net10007', 'KernelRefused'],
    ],
  )
  t.regex(failures[0]?.message ?? '', /VNI in use/)
  t.deepEqual(vnis(), [
    [10000, 10004],
    [10006, 10006],
    [10008, 10009],
  ])
  t.deepEqual(
    vlansOf('nlvx0').tunnels?.map(({ vid, last = vid, vni }) => [vid, last, vni]),
    [
      [2, 6, 10000],
      [8, 8, 10006],
      [10, 11, 10008],
      [100, 100, 10007],
    ],
  )
  t.deepEqual(
    vlansOf('nlvx0').vlans?.map(({ vid, last = vid }) => [vid, last]),
    [
      [2, 6],
      [8, 8],
      [10, 11],
      [100, 100],
    ],
  )
})

test.serial('what a VLAN lacks is added, what it has too much is taken away', async (t) => {
  const mac = '02:6e:6c:00:00:01'
  const have = vlan(2, 10000, { self: true, macs: [mac, '02:6e:6c:00:00:02'] })
  await kernel.apply([to('create', have), to('create', vlan(3, 10001))])
  t.deepEqual(ownMacs(), [`${mac} 2`, '02:6e:6c:00:00:02 2'])
  const { writes } = kernel
  t.deepEqual(await kernel.apply([to('change', vlan(2, 10000, { self: true, macs: [mac] }), have)]), [])
  t.is(kernel.writes - writes, 1)
  t.deepEqual(ownMacs(), [`${mac} 2`])
  sh(`bridge -n ${NETNS} vlan del dev nlvx0 vid 2; bridge -n ${NETNS} vni del dev nlvx0 vni 10000`)
  const spoilt = vlan(2, 10000, { port: false, tunnel: false, filter: false, self: true, macs: [mac] })
  t.deepEqual(await kernel.apply([to('change', vlan(2, 10000), spoilt)]), [])
  t.deepEqual(vlansOf('nlvx0').tunnels, [{ vid: 2, last: 3, vni: 10000 }])
  t.deepEqual([ownMacs(), vlansOf('nlbr0').vlans, vnis()], [[], [], [[10000, 10001]]])
})

test.serial("what is to go down and is gone, or is somebody else's, is left alone", async (t) => {
  sh(`ip -n ${NETNS} link add nlbr3 type bridge; ip -n ${NETNS} link set dev nlbr3 up`)
  const lower = ['nlbr0', 'nlbr3', 'nlbr6'].map((name) => to('lower', { ...bridge, name }))
  t.deepEqual(await kernel.apply([to('raise', bridge), ...lower]), [])
  t.deepEqual(
    ['nlbr0', 'nlbr3', 'nlbr6'].map((name) => getLink(netlink, name)?.up),
    [false, true, undefined],
  )
  sh(`ip -n ${NETNS} link del nlbr3`)
})

test.serial("a veth's port is in its VLAN only, whatever it was in before", async (t) => {
  const ends = { kind: 'veth', mtu: 1400, peer: { namespace: 'host', name: 'host-9' } } as const
  const pe: LinkObject = { ...common, ...ends, name: 'pe-9', master: 'nlbr0', vlan: 9 }
  const far: LinkObject = {
    ...common,
    kind: 'veth',
    namespace: 'host',
    name: 'host-9',
    peer: { namespace: 'router', name: 'pe-9' },
  }
  t.deepEqual(await kernel.apply([to('create', pe), to('create', far), to('raise', pe)]), [])
  const only = (vid: number) => [{ vid, pvid: true, untagged: true }]
  t.deepEqual(vlansOf('pe-9').vlans, only(9))
  t.regex(sh(`ip -n ${NETNS} link show pe-9; ip link show host-9`), /pe-9.*UP[^]*host-9.*UP/)
  t.deepEqual(await kernel.apply([to('change', { ...pe, vlan: 4094 }, pe)]), [])
  t.deepEqual(vlansOf('pe-9').vlans, only(4094))
  sh(`bridge -n ${NETNS} vlan add dev pe-9 vid 5-10; bridge -n ${NETNS} vlan add dev pe-9 vid 1 pvid`)
  t.deepEqual(await kernel.apply([to('change', pe, { ...pe, vlan: 0 })]), [])
  t.deepEqual(vlansOf('pe-9').vlans, only(9))
  const { vlan: _, ...none } = pe
  t.deepEqual(await kernel.apply([to('change', none, pe)]), [])
  t.deepEqual(vlansOf('pe-9').vlans, [])
})

test.serial('an SVI is made on its bridge', async (t) => {
  const svi: LinkObject = { ...common, kind: 'vlan', name: 'svi9', parent: 'nlbr0', vid: 9, mac: '02:6e:6c:00:00:09' }
  t.deepEqual(await kernel.apply([to('create', svi), to('raise', bridge), to('raise', svi)]), [])
  t.regex(sh(`ip -n ${NETNS} -d link show svi9`), /svi9@nlbr0.*UP[^]*02:6e:6c:00:00:09[^]* id 9 [^]*addrgenmode none/)
})
