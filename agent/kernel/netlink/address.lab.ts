import test from 'ava'
import { addAddress, deleteAddress, listAddresses, replaceAddress } from './address.ts'
import type { Address, AddressSpec } from './address.ts'
import { AF_INET, AF_INET6 } from './inet.ts'
import { labNetns } from './lab-netns.ts'

const configured: Omit<AddressSpec, 'link'>[] = [
  { address: '192.169.10.1/24' },
  { address: '192.169.10.2/24', noPrefixRoute: true, broadcast: '192.169.10.255', label: 'vtep0:1' },
  { address: '10.9.9.9/32', scope: 253, metric: 50, protocol: 9 },
  { address: '10.8.0.1/32', peer: '10.8.0.2' },
  { address: '10.7.0.1/16', validSeconds: 600, preferredSeconds: 300 },
  { address: 'fd00:c9:10::1/64', noDad: true },
  { address: 'fd00:c9:11::1/64', noDad: true, noPrefixRoute: true, metric: 77 },
  { address: 'fd00:c9:12::1/128', noDad: true, validSeconds: 600, preferredSeconds: 300 },
  { address: 'fd00:c9:13::1/128', noDad: true, peer: 'fd00:c9:13::2' },
  { address: 'fe80::1/64', noDad: true, scope: 253 },
]

for (const spec of configured) {
  test(`${JSON.stringify(spec)} is added, read, and deleted`, (t) => {
    const lab = labNetns(t)
    const link = lab.link({ name: 'vtep0', data: { kind: 'bridge' }, up: true, addrGenMode: 'none' }).index
    const mine = (): Address[] => listAddresses(lab.netlink, { link })
    addAddress(lab.netlink, { link, ...spec })
    t.is(mine().length, 1)
    t.like(mine()[0], { link, permanent: spec.validSeconds === undefined, secondary: false, ...spec })
    t.throws(() => addAddress(lab.netlink, { link, ...spec }), { code: 'EEXIST' })
    deleteAddress(lab.netlink, { link, ...spec })
    t.deepEqual(mine(), [])
    t.throws(() => deleteAddress(lab.netlink, { link, ...spec }), { code: 'EADDRNOTAVAIL' })
  })
}

test('lifetimes of an address are changed in place', (t) => {
  const lab = labNetns(t)
  const link = lab.link({ name: 'vtep0', data: { kind: 'bridge' }, up: true, addrGenMode: 'none' }).index
  for (const [address, family] of [
    ['10.0.0.1/24', AF_INET],
    ['fd00::1/64', AF_INET6],
  ] as const) {
    replaceAddress(lab.netlink, { link, address, noDad: true, validSeconds: 600 })
    replaceAddress(lab.netlink, { link, address, noDad: true })
    const [only, ...more] = listAddresses(lab.netlink, { link, family })
    t.deepEqual(more, [])
    t.like(only, { address, validSeconds: undefined, permanent: true })
  }
})

test('whether there is a prefix route is changed in place for IPv6 only', (t) => {
  const lab = labNetns(t)
  const link = lab.link({ name: 'vtep0', data: { kind: 'bridge' }, up: true, addrGenMode: 'none' }).index
  for (const address of ['10.0.0.1/24', 'fd00::1/64']) {
    addAddress(lab.netlink, { link, address, noDad: true })
    replaceAddress(lab.netlink, { link, address, noDad: true, noPrefixRoute: true })
  }
  t.deepEqual(
    listAddresses(lab.netlink, { link }).map(({ noPrefixRoute }) => noPrefixRoute),
    [false, true],
  )
})

test('addresses are filtered by link and family', (t) => {
  const lab = labNetns(t)
  const [one, two] = ['one', 'two'].map(
    (name) => lab.link({ name, data: { kind: 'bridge' }, up: true, addrGenMode: 'none' }).index,
  ) as [number, number]
  addAddress(lab.netlink, { link: one, address: '10.1.0.1/24' })
  addAddress(lab.netlink, { link: two, address: '10.2.0.1/24' })
  addAddress(lab.netlink, { link: two, address: 'fd00::2/64' })
  const texts = (filter: Parameters<typeof listAddresses>[1]) =>
    listAddresses(lab.netlink, filter).map(({ address }) => address)
  t.deepEqual(texts({ link: two }), ['10.2.0.1/24', 'fd00::2/64'])
  t.deepEqual(texts({ link: two, family: AF_INET6 }), ['fd00::2/64'])
  t.deepEqual(texts({ family: AF_INET }), ['127.0.0.1/8', '10.1.0.1/24', '10.2.0.1/24'])
})
