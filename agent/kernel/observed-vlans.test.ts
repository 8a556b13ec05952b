import test from 'ava'
import { observedVlans, type ShardState } from './observed-vlans.ts'

const owner = { kind: 'Underlay', name: 'fabric' } as const
const red = { kind: 'L3VNI', name: 'red' } as const
const shard: ShardState = {
  bridge: 'nlbr0',
  vxlan: 'nlvx0',
  for: owner,
  port: { vlans: [{ vid: 2, last: 3 }], tunnels: [{ vid: 2, last: 3, vni: 100 }] },
  self: [{ vid: 3 }],
  filter: [{ vni: 100, last: 101 }],
  macs: [{ vid: 3, mac: '02:00:00:00:00:07' }],
}
const whole = { port: true, tunnel: true, filter: true }
const shown = (state: ShardState, ...bearers: { vni: number; vid: number }[]) =>
  observedVlans(
    state,
    bearers.map((each) => ({ ...each, for: red })),
  ).map(({ vid, vni, port, tunnel, filter, self, macs, for: ref }) => ({
    at: `${vid} ${vni}`,
    ...(port && tunnel && filter ? whole : { port, tunnel, filter }),
    self: self ? macs.length : undefined,
    owner: ref.name,
  }))

test('ranges become VLANs, one a VNI, whose owner is that of the link that bears the VNI', (t) => {
  t.deepEqual(shown(shard, { vni: 101, vid: 3 }), [
    { at: '2 100', ...whole, self: undefined, owner: 'fabric' },
    { at: '3 101', ...whole, self: 1, owner: 'red' },
  ])
})

test('without its tunnel a VLAN is known by its SVI or veth, and lacks just that', (t) => {
  const lacking = { ...shard, port: { vlans: shard.port.vlans, tunnels: [{ vid: 2, vni: 100 }] } }
  t.deepEqual(shown(lacking, { vni: 101, vid: 3 })[1], {
    at: '3 101',
    port: true,
    tunnel: false,
    filter: true,
    self: 1,
    owner: 'red',
  })
})

test('what belongs to nothing is there by itself', (t) => {
  const strays = {
    ...shard,
    port: { vlans: [{ vid: 2, last: 9 }], tunnels: shard.port.tunnels },
    filter: [{ vni: 100, last: 102 }],
    macs: [...shard.macs, { vid: 12, mac: '02:00:00:00:00:08' }],
  }
  t.deepEqual(
    shown(strays)
      .slice(2)
      .map(({ at }) => at),
    ['4 0', '5 0', '6 0', '7 0', '8 0', '9 0', '12 0', '0 102'],
  )
})

test('a VLAN that leaves the tunnel untagged is not the one that is needed', (t) => {
  const spoiled = { ...shard, port: { ...shard.port, vlans: [{ vid: 2, pvid: true, untagged: true }, { vid: 3 }] } }
  t.like(shown(spoiled)[0], { at: '2 100', port: false, tunnel: true })
})

test('of two that claim a VLAN or a VNI the tunnel is right', (t) => {
  t.deepEqual(
    shown(shard, { vni: 300, vid: 3 }, { vni: 100, vid: 9 }).map(({ at }) => at),
    ['2 100', '3 101'],
  )
})

test('nothing of a VNI is no VLAN', (t) => {
  const empty = { ...shard, port: { vlans: [], tunnels: [] }, self: [], filter: [], macs: [] }
  t.deepEqual(shown(empty, { vni: 100, vid: 2 }), [])
})
