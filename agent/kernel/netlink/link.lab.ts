import test from 'ava'
import type { ExecutionContext } from 'ava'
import { idOf, labNetns } from './lab-netns.ts'
import type { Lab } from './lab-netns.ts'
import { addLink, changeLink, deleteLink, deleteLinkGroup, getLink, listLinks, moveLink } from './link.ts'
import type { LinkChange, LinkSpec } from './link.ts'
import { NetlinkError } from './netlink-error.ts'

/** Adds, gets, compares, changes, compares, deletes. Every member of spec and change must read back the same. */
function lives(t: ExecutionContext, lab: Lab, spec: LinkSpec, ...changes: LinkChange[]): void {
  const made = lab.link(spec)
  const { peer: _, ...readable } = spec
  t.like(made, { ...readable, kind: spec.data.kind })
  t.like(getLink(lab.netlink, spec.name), { index: made.index })
  for (const change of changes) {
    changeLink(lab.netlink, made.index, change)
    t.like(lab.read(made), change)
  }
  deleteLink(lab.netlink, made.index)
  t.is(getLink(lab.netlink, made.index), undefined)
}

const everywhere: LinkChange[] = [
  { mtu: 1400, alias: 'nodeleaf:L3VNI/red', group: 77, txQueueLength: 500 },
  { mac: '02:6e:6c:00:00:64', addrGenMode: 'none' },
  { up: true },
  { up: false },
  { name: 'renamed0', alias: 'nodeleaf:L3VNI/grün' },
]

test('a dummy lives', (t) => {
  lives(t, labNetns(t), { name: 'vtep0', data: { kind: 'dummy' }, mac: '02:00:00:00:00:01', group: 5 }, ...everywhere)
})

test('a VRF lives, and its table is read back', (t) => {
  lives(t, labNetns(t), { name: 'red', data: { kind: 'vrf', table: 1073741823 }, up: true }, { up: false })
})

test('a bridge lives with all its attributes', (t) => {
  const spec: LinkSpec = {
    name: 'br100',
    data: {
      kind: 'bridge',
      vlanFiltering: true,
      vlanDefaultPvid: 0,
      mcastSnooping: false,
      stp: false,
      forwardDelay: 200,
      ageingTime: 60000,
      groupForwardMask: 8,
    },
    mac: '02:6e:6c:00:00:64',
    mtu: 1450,
    addrGenMode: 'none',
    alias: 'nodeleaf:L3VNI/red',
    group: 28268,
  }
  lives(
    t,
    labNetns(t),
    spec,
    { data: { kind: 'bridge', vlanFiltering: false, mcastSnooping: true, forwardDelay: 300, ageingTime: 30000 } },
    { data: { kind: 'bridge', groupForwardMask: 0 } },
    ...everywhere,
  )
})

test('a VXLAN device lives over IPv4, and its source address can change', (t) => {
  const data = { kind: 'vxlan', vni: 100, local: '100.65.0.1', port: 4789, learning: false } as const
  lives(
    t,
    labNetns(t),
    { name: 'vx100', data: { ...data, ttl: 64, tos: 1, df: 1, ageing: 400, udpChecksum: false }, mtu: 1450 },
    { data: { kind: 'vxlan', local: '100.65.0.2' } },
    { data: { kind: 'vxlan', learning: true, ageing: 500 } },
    ...everywhere,
  )
})

test('a VXLAN device lives over IPv6', (t) => {
  lives(t, labNetns(t), {
    name: 'vx100',
    data: {
      kind: 'vxlan',
      vni: 16777215,
      local: 'fd00::1',
      port: 4790,
      learning: false,
      udpZeroChecksum6Transmit: true,
      udpZeroChecksum6Receive: true,
    },
  })
})

test('an external VXLAN device with a VNI filter lives', (t) => {
  lives(t, labNetns(t), {
    name: 'vxlan0',
    data: { kind: 'vxlan', external: true, vniFilter: true, local: '100.65.0.1', port: 4789, learning: false },
  })
})

test('a VLAN device lives on its parent', (t) => {
  const lab = labNetns(t)
  const parent = lab.link({ name: 'br0', data: { kind: 'bridge', vlanFiltering: true }, up: true })
  lives(
    t,
    lab,
    { name: 'br0.100', data: { kind: 'vlan', id: 100, protocol: '802.1Q' }, parent: parent.index },
    ...everywhere,
  )
  lives(t, lab, { name: 'br0.200', data: { kind: 'vlan', id: 200, protocol: '802.1ad' }, parent: parent.index })
})

test('a veth lives with its peer in another namespace, and each tells where the other is', (t) => {
  const here = labNetns(t)
  const there = labNetns(t)
  const made = here.link({
    name: 'pe-100',
    data: { kind: 'veth' },
    peer: { name: 'host-100', netns: there.path, mtu: 1400, mac: '02:00:00:00:00:02', group: 28268 },
    up: true,
  })
  const peer = getLink(there.netlink, 'host-100')
  t.like(peer, { kind: 'veth', mtu: 1400, mac: '02:00:00:00:00:02', group: 28268, parent: made.index, up: false })
  t.is(made.parent, peer?.index)
  t.is(made.parentNetnsId, idOf(here, there))
  t.is(peer?.parentNetnsId, idOf(there, here))
  changeLink(there.netlink, peer!.index, { up: true })
  t.like(here.read(made), { carrier: true, operstate: 'up' })
  deleteLink(here.netlink, made.index)
  t.is(getLink(there.netlink, 'host-100'), undefined)
})

test('a veth lives with its peer beside it', (t) => {
  const lab = labNetns(t)
  lives(t, lab, { name: 'left', data: { kind: 'veth' }, peer: { name: 'right' } }, ...everywhere)
})

test('a link joins a VRF and leaves it', (t) => {
  const lab = labNetns(t)
  const vrf = lab.link({ name: 'red', data: { kind: 'vrf', table: 10001 }, up: true })
  const bridge = lab.link({ name: 'br100', data: { kind: 'bridge' }, master: vrf.index })
  t.is(bridge.master, vrf.index)
  t.deepEqual(
    listLinks(lab.netlink, { master: vrf.index }).map(({ name }) => name),
    ['br100'],
  )
  t.deepEqual(
    listLinks(lab.netlink, { kind: 'bridge' }).map(({ name }) => name),
    ['br100'],
  )
  changeLink(lab.netlink, bridge.index, { master: 0 })
  t.is(lab.read(bridge).master, undefined)
})

test('every option of a bridge port is set and read', (t) => {
  const lab = labNetns(t)
  const bridge = lab.link({ name: 'br100', data: { kind: 'bridge', vlanFiltering: true } })
  const vxlan = { kind: 'vxlan', vni: 100, local: '100.65.0.1', port: 4789, learning: false } as const
  const port = lab.link({
    name: 'vx100',
    data: vxlan,
    master: bridge.index,
    bridgePort: { learning: false, neighSuppress: true },
  })
  t.like(port.bridgePort, { learning: false, neighSuppress: true, isolated: false, flood: true })
  for (const value of [true, false]) {
    const options = {
      learning: value,
      neighSuppress: value,
      isolated: value,
      hairpin: value,
      vlanTunnel: value,
      flood: value,
      mcastFlood: value,
      bcastFlood: value,
      guard: value,
      cost: value ? 7 : 8,
      priority: value ? 9 : 10,
    }
    changeLink(lab.netlink, port.index, { bridgePort: options })
    t.like(lab.read(port).bridgePort, options)
  }
})

test('a NIC moves to another namespace with a new name, and back', (t) => {
  const here = labNetns(t)
  const there = labNetns(t)
  const nic = here.link({ name: 'eth1', data: { kind: 'dummy' }, up: true, mtu: 9000, mac: '02:00:00:00:00:09' })
  moveLink(here.netlink, nic.index, there.path, 'uplink0')
  t.is(getLink(here.netlink, 'eth1'), undefined)
  const moved = getLink(there.netlink, 'uplink0')
  t.like(moved, { mtu: 9000, mac: '02:00:00:00:00:09', up: false })
  moveLink(there.netlink, moved!.index, here.path, 'eth1')
  t.like(getLink(here.netlink, 'eth1'), { mtu: 9000, up: false })
})

test('a group is deleted at once', (t) => {
  const lab = labNetns(t)
  for (let i = 0; i < 5; i++) lab.link({ name: `dummy${i}`, data: { kind: 'dummy' }, group: i < 3 ? 28268 : 0 })
  deleteLinkGroup(lab.netlink, 28268)
  const left = listLinks(lab.netlink, { kind: 'dummy' })
  t.deepEqual(
    left.map(({ name }) => name),
    ['dummy3', 'dummy4'],
  )
})

test('an alias is taken away by an empty one', (t) => {
  const lab = labNetns(t)
  const link = lab.link({ name: 'vtep0', data: { kind: 'dummy' }, alias: 'nodeleaf:Underlay/u' })
  changeLink(lab.netlink, link.index, { alias: '' })
  t.is(lab.read(link).alias, undefined)
})

test('a link that cannot be finished is taken away again', (t) => {
  const lab = labNetns(t)
  const error = t.throws(
    () => addLink(lab.netlink, { name: 'vtep0', data: { kind: 'dummy' }, master: 4711, alias: 'nodeleaf:x' }),
    { instanceOf: NetlinkError },
  )
  t.truthy(error)
  t.is(getLink(lab.netlink, 'vtep0'), undefined)
})

test("an error has the kernel's own text, the errno and what was asked", (t) => {
  const lab = labNetns(t)
  const noTable = { name: 'red', data: { kind: 'vrf', table: undefined as unknown as number } } as const
  t.like(
    t.throws(() => addLink(lab.netlink, noTable), { instanceOf: NetlinkError }),
    {
      code: 'EINVAL',
      errno: 22,
      extack: 'VRF table id is missing',
      asked: 'add link red',
      message: 'add link red: EINVAL (VRF table id is missing)',
    },
  )
  lab.link({ name: 'br100', data: { kind: 'bridge' } })
  t.throws(() => addLink(lab.netlink, { name: 'br100', data: { kind: 'bridge' } }), { code: 'EEXIST' })
  t.throws(() => deleteLink(lab.netlink, 4711), { code: 'ENODEV' })
  const vx = { name: 'vx1', data: { kind: 'vxlan', vni: 1, port: 4789 } } as const
  const made = lab.link(vx)
  t.throws(() => changeLink(lab.netlink, made.index, { data: { kind: 'vxlan', vni: 2 } }), { code: 'EOPNOTSUPP' })
  const tooLong = t.throws(() => addLink(lab.netlink, { name: 'a-name-that-is-too-long', data: { kind: 'dummy' } }), {
    instanceOf: NetlinkError,
  })
  // IFLA_IFNAME
  t.is(tooLong?.attribute, 3)
})
