import test from 'ava'
import { addBridgeVlans, deleteBridgeVlans, listBridgeVlans } from './bridge-vlan.ts'
import { addFdb, appendFdb, deleteFdb, listFdb, replaceFdb } from './fdb.ts'
import type { FdbSpec } from './fdb.ts'
import { labNetns } from './lab-netns.ts'
import type { Lab } from './lab-netns.ts'
import { addNeighbour, deleteNeighbour, listNeighbours, replaceNeighbour } from './neighbour.ts'
import type { NeighbourSpec } from './neighbour.ts'
import { addVnis, deleteVnis, listVnis } from './vni-filter.ts'

/** A VLAN-aware bridge with a VXLAN device that serves many VNIs, and a veth. */
function singleVxlanDevice(lab: Lab): { bridge: number; vxlan: number; veth: number } {
  const bridge = lab.link({
    name: 'br0',
    data: { kind: 'bridge', vlanFiltering: true, vlanDefaultPvid: 0 },
    up: true,
  }).index
  const vxlan = lab.link({
    name: 'vxlan0',
    data: { kind: 'vxlan', external: true, vniFilter: true, local: '100.65.0.1', port: 4789, learning: false },
    master: bridge,
    bridgePort: { vlanTunnel: true, neighSuppress: true, learning: false },
    up: true,
  }).index
  const veth = lab.link({ name: 'pe', data: { kind: 'veth' }, peer: { name: 'host' }, master: bridge, up: true }).index
  return { bridge, vxlan, veth }
}

test('VLANs and tunnels, single and as ranges, are added, read and deleted', (t) => {
  const lab = labNetns(t)
  const { bridge, vxlan, veth } = singleVxlanDevice(lab)
  const read = (link: number) => listBridgeVlans(lab.netlink, { link })[0]
  addBridgeVlans(lab.netlink, bridge, { vlans: [{ vid: 100, last: 199 }] }, true)
  addBridgeVlans(lab.netlink, vxlan, {
    vlans: [{ vid: 100, last: 199 }],
    tunnels: [
      { vid: 100, last: 149, vni: 5100 },
      { vid: 160, vni: 9000 },
    ],
  })
  addBridgeVlans(lab.netlink, veth, { vlans: [{ vid: 100, pvid: true, untagged: true }, { vid: 101 }] })
  const plain = { pvid: false, untagged: false }
  t.deepEqual(read(bridge)?.vlans, [{ vid: 100, last: 199, ...plain }])
  t.deepEqual(read(vxlan), {
    link: vxlan,
    vlans: [{ vid: 100, last: 199, ...plain }],
    tunnels: [
      { vid: 100, last: 149, vni: 5100 },
      { vid: 160, vni: 9000 },
    ],
  })
  t.deepEqual(read(veth)?.vlans, [
    { vid: 100, pvid: true, untagged: true },
    { vid: 101, ...plain },
  ])
  addBridgeVlans(lab.netlink, veth, { vlans: [{ vid: 100 }] })
  t.deepEqual(read(veth)?.vlans, [{ vid: 100, last: 101, ...plain }])
  deleteBridgeVlans(lab.netlink, vxlan, { tunnels: [{ vid: 100, last: 149, vni: 5100 }] })
  t.deepEqual(read(vxlan)?.tunnels, [{ vid: 160, vni: 9000 }])
  deleteBridgeVlans(lab.netlink, vxlan, { vlans: [{ vid: 100, last: 199 }] })
  deleteBridgeVlans(lab.netlink, bridge, { vlans: [{ vid: 100, last: 150 }] }, true)
  t.deepEqual(read(vxlan), { link: vxlan, vlans: [], tunnels: [] })
  t.deepEqual(read(bridge)?.vlans, [{ vid: 151, last: 199, ...plain }])
})

test('VNIs of a filter are added, read and deleted, thousands too', (t) => {
  const lab = labNetns(t)
  const { vxlan } = singleVxlanDevice(lab)
  const read = () => listVnis(lab.netlink, { link: vxlan })[0]?.vnis
  addVnis(lab.netlink, vxlan, [{ vni: 100 }, { vni: 200, last: 299 }, { vni: 400, remote: '10.0.0.9' }])
  t.deepEqual(read(), [
    { vni: 100, last: undefined, remote: undefined },
    { vni: 200, last: 299, remote: undefined },
    { vni: 400, last: undefined, remote: '10.0.0.9' },
  ])
  deleteVnis(lab.netlink, vxlan, [{ vni: 200, last: 250 }, { vni: 400 }])
  t.deepEqual(
    read()?.map(({ vni, last }) => [vni, last]),
    [
      [100, undefined],
      [251, 299],
    ],
  )
  for (let vni = 10000; vni < 16000; vni += 2) addVnis(lab.netlink, vxlan, [{ vni }])
  t.is(read()?.length, 3002)
  t.throws(() => deleteVnis(lab.netlink, vxlan, [{ vni: 7 }]), { code: 'ENOENT' })
})

test('neighbours are added, read, changed and deleted', (t) => {
  const lab = labNetns(t)
  const { bridge } = singleVxlanDevice(lab)
  const specs: NeighbourSpec[] = [
    { link: bridge, address: '10.1.0.2', mac: '02:00:00:00:00:02', state: 'permanent' },
    { link: bridge, address: '10.1.0.3', mac: '02:00:00:00:00:03', state: 'noarp', externLearned: true, protocol: 186 },
    { link: bridge, address: 'fd00::3', mac: '02:00:00:00:00:03', state: 'stale', router: true },
  ]
  const read = (spec: NeighbourSpec) =>
    listNeighbours(lab.netlink, { link: bridge }).find(({ address }) => address === spec.address)
  for (const spec of specs) {
    addNeighbour(lab.netlink, spec)
    t.like(read(spec), spec)
    t.throws(() => addNeighbour(lab.netlink, spec), { code: 'EEXIST' })
    const moved = { ...spec, mac: '02:00:00:00:00:99' }
    replaceNeighbour(lab.netlink, moved)
    t.like(read(spec), moved)
    deleteNeighbour(lab.netlink, spec)
    // A deleted entry may stay a while as failed.
    t.true([undefined, 'failed'].includes(read(spec)?.state))
  }
  t.throws(() => deleteNeighbour(lab.netlink, { link: bridge, address: '10.7.7.7' }), { code: 'ENOENT' })
})

test('neighbours are filtered by link and by master', (t) => {
  const lab = labNetns(t)
  const vrf = lab.link({ name: 'red', data: { kind: 'vrf', table: 10001 }, up: true }).index
  const [inside, outside] = [vrf, 0].map(
    (master, at) => lab.link({ name: `dummy${at}`, data: { kind: 'dummy' }, master, up: true }).index,
  ) as [number, number]
  for (const link of [inside, outside])
    addNeighbour(lab.netlink, { link, address: '10.0.0.9', mac: '02:00:00:00:00:09' })
  const links = (filter: object) =>
    listNeighbours(lab.netlink, { family: 2, ...filter })
      .filter(({ address }) => address === '10.0.0.9')
      .map(({ link }) => link)
  t.deepEqual(links({}).sort(), [inside, outside])
  t.deepEqual(links({ link: outside }), [outside])
  t.deepEqual(links({ master: vrf }), [inside])
})

test("forwarding entries live in the bridge's table and in the VXLAN device's", (t) => {
  const lab = labNetns(t)
  const bridge = lab.link({ name: 'br100', data: { kind: 'bridge' }, up: true }).index
  const link = lab.link({
    name: 'vx100',
    data: { kind: 'vxlan', vni: 100, local: '100.65.0.1', port: 4789, learning: false },
    master: bridge,
    up: true,
  }).index
  const specs: FdbSpec[] = [
    { link, mac: '02:00:00:00:00:02', table: 'master', state: 'dynamic', externLearned: true },
    { link, mac: '02:00:00:00:00:03', table: 'master', state: 'dynamic' },
    { link, mac: '02:00:00:00:00:04', table: 'master', state: 'static', sticky: true },
    { link, mac: '02:00:00:00:00:05', table: 'self', state: 'permanent', remote: '100.65.0.9' },
    { link, mac: '02:00:00:00:00:06', table: 'self', state: 'static', remote: '100.65.0.9', externLearned: true },
    {
      link,
      mac: '02:00:00:00:00:07',
      table: 'self',
      state: 'static',
      remote: '100.65.0.9',
      port: 4790,
      vni: 7,
      via: bridge,
    },
  ]
  // A bridge that knows VLANs keeps a second entry for each VLAN of the port: 1, by its default.
  const read = (spec: FdbSpec) =>
    listFdb(lab.netlink, { link }).filter(
      ({ mac, table, vlan }) => mac === spec.mac && table === spec.table && vlan === undefined,
    )
  for (const spec of specs) {
    addFdb(lab.netlink, spec)
    t.is(read(spec).length, 1)
    t.like(read(spec)[0], spec)
    // Of what a control plane gives it, a bridge takes the latest.
    if (spec.table === 'self' || spec.externLearned !== true)
      t.throws(() => addFdb(lab.netlink, spec), { code: 'EEXIST' })
    replaceFdb(lab.netlink, spec)
    deleteFdb(lab.netlink, spec)
    t.deepEqual(read(spec), [])
    t.throws(() => deleteFdb(lab.netlink, spec), { code: 'ENOENT' })
  }
  const flood: FdbSpec = { link, mac: '00:00:00:00:00:00', table: 'self' }
  for (const remote of ['100.65.0.2', '100.65.0.3']) appendFdb(lab.netlink, { ...flood, remote })
  t.deepEqual(
    read(flood)
      .map(({ remote }) => remote)
      .sort(),
    ['100.65.0.2', '100.65.0.3'],
  )
  deleteFdb(lab.netlink, { ...flood, remote: '100.65.0.2' })
  t.deepEqual(
    read(flood).map(({ remote }) => remote),
    ['100.65.0.3'],
  )
  t.true(listFdb(lab.netlink, { master: bridge }).length > 0)
})

test('a forwarding entry of a VLAN, and one of a VNI, are kept apart', (t) => {
  const lab = labNetns(t)
  const { vxlan } = singleVxlanDevice(lab)
  addBridgeVlans(lab.netlink, vxlan, { vlans: [{ vid: 100, last: 101 }] })
  addVnis(lab.netlink, vxlan, [{ vni: 5100, last: 5101 }])
  const mac = '02:00:00:00:00:02'
  for (const n of [0, 1]) {
    addFdb(lab.netlink, { link: vxlan, mac, table: 'master', state: 'static', vlan: 100 + n })
    addFdb(lab.netlink, { link: vxlan, mac, table: 'self', state: 'static', remote: '100.65.0.9', sourceVni: 5100 + n })
  }
  const found = listFdb(lab.netlink, { link: vxlan }).filter((entry) => entry.mac === mac)
  t.deepEqual(found.flatMap(({ vlan }) => vlan ?? []).sort(), [100, 101])
  t.deepEqual(found.flatMap(({ sourceVni }) => sourceVni ?? []).sort(), [5100, 5101])
})
