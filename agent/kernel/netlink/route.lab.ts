import test from 'ava'
import { addAddress } from './address.ts'
import { AF_INET, AF_INET6 } from './inet.ts'
import { labNetns } from './lab-netns.ts'
import type { Lab } from './lab-netns.ts'
import { addRoute, deleteRoute, listRoutes, replaceRoute } from './route.ts'
import type { RouteSpec } from './route.ts'
import { addRule, deleteRule, listRules } from './rule.ts'
import type { RuleSpec } from './rule.ts'

interface Links {
  readonly one: number
  readonly two: number
}

function twoLinks(lab: Lab): Links {
  const make = (name: string): number =>
    lab.link({ name, data: { kind: 'bridge' }, up: true, addrGenMode: 'none' }).index
  const links = { one: make('one'), two: make('two') }
  addAddress(lab.netlink, { link: links.one, address: '10.1.0.1/24' })
  addAddress(lab.netlink, { link: links.one, address: 'fd00:1::1/64', noDad: true })
  addAddress(lab.netlink, { link: links.two, address: '10.2.0.1/24' })
  addAddress(lab.netlink, { link: links.two, address: 'fd00:2::1/64', noDad: true })
  return links
}

const kinds: Record<string, (links: Links) => RouteSpec> = {
  'an unreachable IPv4 default of a VRF': () => ({
    destination: '0.0.0.0/0',
    table: 1073741823,
    type: 'unreachable',
    metric: 4278198272,
    nexthops: [],
  }),
  'an unreachable IPv6 default of a VRF': () => ({
    destination: '::/0',
    table: 10001,
    type: 'unreachable',
    metric: 4278198272,
    nexthops: [],
  }),
  'a blackhole': () => ({ destination: '10.99.0.0/16', type: 'blackhole', nexthops: [] }),
  'an IPv4 route via a gateway': ({ one }) => ({
    destination: '10.10.0.0/16',
    metric: 100,
    nexthops: [{ gateway: '10.1.0.2', link: one }],
    source: '10.2.0.1',
    protocol: 186,
    mtu: 1400,
    advertisedMss: 1300,
    hopLimit: 9,
    initialWindow: 20,
  }),
  'an IPv6 route via a gateway': ({ one }) => ({
    destination: 'fd00:10::/32',
    metric: 100,
    nexthops: [{ gateway: 'fd00:1::2', link: one }],
    source: 'fd00:2::1',
    protocol: 186,
    mtu: 1400,
  }),
  'an IPv4 route via an IPv6 gateway': ({ one }) => ({
    destination: '10.11.0.0/16',
    nexthops: [{ gateway: 'fe80::2', link: one }],
  }),
  'an IPv4 route out of a link': ({ two }) => ({
    destination: '192.169.10.3/32',
    table: 10001,
    nexthops: [{ link: two }],
    scope: 253,
  }),
  'an IPv6 route out of a link': ({ two }) => ({
    destination: 'fd00:c9::3/128',
    table: 10001,
    nexthops: [{ link: two }],
  }),
  'a gateway that no address reaches, onlink': ({ one }) => ({
    destination: '10.12.0.0/16',
    nexthops: [{ gateway: '203.0.113.1', link: one, onlink: true }],
  }),
  'IPv4 multipath': ({ one, two }) => ({
    destination: '10.13.0.0/16',
    nexthops: [
      { gateway: '10.1.0.2', link: one, weight: 1 },
      { gateway: 'fe80::2', link: two, weight: 3 },
    ],
  }),
  'IPv6 multipath': ({ one, two }) => ({
    destination: 'fd00:13::/48',
    nexthops: [
      { gateway: 'fd00:1::2', link: one, weight: 1 },
      { gateway: 'fd00:2::2', link: two, weight: 3 },
    ],
  }),
}

for (const [title, make] of Object.entries(kinds)) {
  test(`${title} is added, read, replaced and deleted`, (t) => {
    const lab = labNetns(t)
    const spec = make(twoLinks(lab))
    const same = (): object[] =>
      listRoutes(lab.netlink, { table: spec.table ?? 254 }).filter((route) => route.destination === spec.destination)
    addRoute(lab.netlink, spec)
    t.is(same().length, 1)
    t.like(same()[0], { type: 'unicast', table: 254, protocol: 4, ...spec })
    t.throws(() => addRoute(lab.netlink, spec), { code: 'EEXIST' })
    const changed = { ...spec, protocol: 99 }
    replaceRoute(lab.netlink, changed)
    t.is(same().length, 1)
    t.like(same()[0], changed)
    deleteRoute(lab.netlink, { destination: spec.destination, table: spec.table, metric: spec.metric, type: spec.type })
    t.deepEqual(same(), [])
    t.throws(() => deleteRoute(lab.netlink, spec), { code: 'ESRCH' })
  })
}

test('routes are filtered by table, protocol, family and link', (t) => {
  const lab = labNetns(t)
  const { one, two } = twoLinks(lab)
  addRoute(lab.netlink, { destination: '10.20.0.0/16', table: 500, protocol: 186, nexthops: [{ link: one }] })
  addRoute(lab.netlink, { destination: '10.21.0.0/16', table: 500, nexthops: [{ link: two }] })
  addRoute(lab.netlink, { destination: 'fd00:20::/32', table: 500, nexthops: [{ link: one }] })
  const texts = (filter: Parameters<typeof listRoutes>[1]) =>
    listRoutes(lab.netlink, filter).map(({ destination }) => destination)
  t.deepEqual(texts({ table: 500 }), ['10.20.0.0/16', '10.21.0.0/16', 'fd00:20::/32'])
  t.deepEqual(texts({ table: 500, family: AF_INET }), ['10.20.0.0/16', '10.21.0.0/16'])
  t.deepEqual(texts({ table: 500, protocol: 186 }), ['10.20.0.0/16'])
  t.deepEqual(texts({ table: 500, family: AF_INET, link: two }), ['10.21.0.0/16'])
  t.deepEqual(texts({ table: 501 }), [])
})

test('a gateway that cannot be reached is refused with the text of the kernel', (t) => {
  const lab = labNetns(t)
  const { one } = twoLinks(lab)
  t.throws(
    () => addRoute(lab.netlink, { destination: '10.0.0.0/8', nexthops: [{ gateway: '203.0.113.1', link: one }] }),
    {
      code: 'ENETUNREACH',
      message: /gateway/i,
    },
  )
})

const rules: RuleSpec[] = [
  { family: AF_INET, priority: 100, table: 10001, from: '10.1.0.0/16', to: '10.2.0.0/16' },
  { family: AF_INET6, priority: 100, table: 10001, from: 'fd00:1::/32' },
  { family: AF_INET, priority: 101, table: 7, iif: 'one', oif: 'two', mark: 0x10, markMask: 0xff, protocol: 99 },
  { family: AF_INET, priority: 102, action: 'unreachable' },
  { family: AF_INET, priority: 103, table: 254, suppressPrefixLength: 0, invert: true, mark: 1 },
  { family: AF_INET6, priority: 1000, l3mdev: true },
]

for (const spec of rules) {
  test(`rule ${JSON.stringify(spec)} is added, read and deleted`, (t) => {
    const lab = labNetns(t)
    const same = (): object[] => listRules(lab.netlink, spec).filter((rule) => rule.priority === spec.priority)
    addRule(lab.netlink, spec)
    t.is(same().length, 1)
    t.like(same()[0], spec)
    t.throws(() => addRule(lab.netlink, spec), { code: 'EEXIST' })
    deleteRule(lab.netlink, spec)
    t.deepEqual(same(), [])
    t.throws(() => deleteRule(lab.netlink, spec), { code: 'ENOENT' })
  })
}

test('the rules that every namespace has, and the one a VRF brings, are read', (t) => {
  const lab = labNetns(t)
  lab.link({ name: 'red', data: { kind: 'vrf', table: 10001 } })
  t.deepEqual(
    listRules(lab.netlink, { family: AF_INET }).map(({ priority, table, l3mdev }) => ({ priority, table, l3mdev })),
    [
      { priority: 0, table: 255, l3mdev: false },
      { priority: 1000, table: 0, l3mdev: true },
      { priority: 32766, table: 254, l3mdev: false },
      { priority: 32767, table: 253, l3mdev: false },
    ],
  )
})
