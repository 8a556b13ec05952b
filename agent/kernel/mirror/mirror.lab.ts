import test from 'ava'
import * as fc from 'fast-check'
import { sh } from '../golden/machine.ts'
import { Namespaces } from '../namespaces.ts'
import type { Address } from '../netlink/address.ts'
import type { Link } from '../netlink/link.ts'
import type { Tables, TableChanges } from '../tables.ts'
import { Mirror } from './mirror.ts'

const NETNS = 'nlmirror'

let namespaces: Namespaces
let mirror: Mirror

test.beforeEach(() => {
  namespaces = new Namespaces(NETNS)
  namespaces.refresh()
  mirror = new Mirror(namespaces)
})
test.afterEach.always(() => {
  mirror.close()
  namespaces.close()
  sh(`ip netns del ${NETNS} 2>/dev/null || true
    for l in $(ip -o link | grep -o '^[0-9]*: f[a-z0-9]*' | cut -d' ' -f2); do ip link del $l 2>/dev/null || true; done`)
})

/** As lines that can be compared, without what is not kept current and what says nothing. */
function lines({ router, host, routes, rules, sysctls }: Tables): string[] {
  const line = (...words: readonly unknown[]): string => words.map((word) => JSON.stringify(word)).join(' ')
  const side = (namespace: string, { links, addresses, other, ...rest }: Tables['router']): string[] => [
    ...[...links.values()].map((link) => line(namespace, standing(link))),
    ...[...addresses.values()].flat().map((address) => line(namespace, 'address', lasting(address))),
    ...(['vlans', 'vnis', 'ownMacs'] as const).flatMap((table) =>
      [...rest[table]].flatMap(([index, value]) => (isEmpty(value) ? [] : line(namespace, table, index, value))),
    ),
    line(namespace, 'other', other),
  ]
  return [
    ...side('router', router),
    ...side('host', host),
    ...routes.map((route) => line('route', route)),
    ...rules.map((rule) => line('rule', rule)),
    ...[...sysctls].map(([path, value]) => line(path, value)),
  ].toSorted()
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  return typeof value === 'object' && value !== null && Object.values(value).every(isEmpty)
}

function lasting(address: Address): object {
  const { flags: _f, tentative: _t, dadFailed: _d, deprecated: _e, secondary: _s, ...rest } = address
  return rest
}

function standing({ flags: _f, operstate: _o, carrier: _c, ...link }: Link): object {
  return link
}

/** Lines that only the mirror has, and those that only somebody has who looks for the first time. */
function disagreement(tables: Tables): Disagreement {
  using other = new Mirror(namespaces)
  const [ours, theirs] = [lines(tables), lines(other.look().tables)]
  return {
    mirror: ours.filter((line) => !theirs.includes(line)),
    kernel: theirs.filter((line) => !ours.includes(line)),
  }
}

interface Disagreement {
  readonly mirror: readonly string[]
  readonly kernel: readonly string[]
}

function agrees({ mirror: ours, kernel }: Disagreement): boolean {
  return ours.length + kernel.length === 0
}

const none: Disagreement = { mirror: [], kernel: [] }

/** What is left of it when time has passed: link-local addresses come by themselves, some time later. */
function lastingDisagreement(tables: Tables): Disagreement {
  let found = disagreement(tables)
  for (const end = performance.now() + 20_000; !agrees(found) && performance.now() < end;) {
    sh('sleep 0.1')
    found = disagreement(mirror.look().tables)
  }
  return found
}

function changed(changes: TableChanges): object {
  if (changes === 'everything') return { everything: true }
  const { links, ...rest } = changes
  return { router: [...links.router].toSorted(), host: [...links.host].toSorted(), ...rest }
}

const nothing = { router: [], host: [], routes: false, rules: false, sysctls: false }

test.serial('the first look is everything, the second nothing', (t) => {
  t.is(mirror.look().changes, 'everything')
  t.deepEqual(changed(mirror.look().changes), nothing)
  t.false(mirror.different)
})

test.serial('a change names the links it is about, and keeps the others as they are', (t) => {
  sh(`ip -n ${NETNS} link add br1 up address 02:00:00:00:00:01 type bridge; ip -n ${NETNS} link add d1 type dummy
    ip -n ${NETNS} link add fpe type veth peer name fhost netns $$; ip -n ${NETNS} link set fpe master br1`)
  const before = mirror.look().tables.router.links
  const [d1] = [...before.values()].filter(({ name }) => name === 'd1')
  sh(`ip -n ${NETNS} link set br1 alias x`)
  t.true(mirror.different || mirror.look().changes !== undefined)
  sh(`ip -n ${NETNS} link set br1 alias y`)
  const { tables, changes } = mirror.look()
  t.deepEqual(changed(changes), { ...nothing, router: ['br1'] })
  t.is(tables.router.links.get(d1!.index), d1)
  sh(`ip -n ${NETNS} link set br1 name br2`)
  t.deepEqual(changed(mirror.look().changes), { ...nothing, router: ['br1', 'br2', 'fpe'] })
  sh(`ip link set fhost mtu 1400`)
  t.deepEqual(changed(mirror.look().changes), { ...nothing, host: ['fhost'] })
  sh(`ip link set fhost name fother`)
  t.deepEqual(changed(mirror.look().changes), { ...nothing, router: ['fpe'], host: ['fhost', 'fother'] })
  sh(`ip -n ${NETNS} link del fpe`)
  t.deepEqual(changed(mirror.look().changes), { ...nothing, router: ['fpe'], host: ['fother'] })
})

test.serial('what the kernel does not say is noticed all the same', (t) => {
  const at = `ip -n ${NETNS}`
  sh(`${at} link set lo up; ${at} link add d1 type dummy; ${at} link set d1 up; ${at} addr add 10.0.0.1/24 dev d1
    ${at} route add 10.9.0.0/16 via 10.0.0.2 proto 110; ${at} route add unreachable default table 77 metric 9 proto 110
    ip link add fa type veth peer name fb`)
  mirror.look()
  sh(`${at} link set d1 down; ${at} link set d1 up`)
  t.is(mirror.look().tables.routes.length, 1, 'an IPv4 route goes with its link, without an event')
  sh(`${at} route add 10.9.0.0/16 via 10.0.0.2 proto 110`)
  t.is(mirror.look().tables.routes.length, 2)
  sh(`${at} addr del 10.0.0.1/24 dev d1`)
  t.is(mirror.look().tables.routes.length, 1, 'and with the last address')
  sh(`${at} route replace unreachable default table 77 metric 9 proto static`)
  t.is(mirror.look().tables.routes.length, 0, "another's route takes the place of ours")
  sh(`ip link set fa netns ${NETNS}`)
  const { host, router } = mirror.look().tables
  const [fb] = [...host.links.values()].filter(({ name }) => name === 'fb')
  t.is(fb?.parentNetnsId, host.other, 'the other end of a veth moves away')
  t.is(router.links.get(fb!.parent!)?.name, 'fa')
  t.deepEqual(lastingDisagreement(mirror.look().tables), none)
})

test.serial(
  'routes that differ in nothing but their link are all there, for who looks first and who looked before',
  (t) => {
    const at = `ip -n ${NETNS}`
    sh(
      `${at} link set lo up; ${at} link add d1 up type dummy; ${at} link add d2 up type dummy; ${at} link add d3 up type dummy`,
    )
    mirror.look()
    const linksOf = (tables: Tables): number => new Set(tables.routes.map(({ nexthops }) => nexthops[0]?.link)).size
    sh(
      `${at} -6 route append fd99::/64 dev d1 proto 110 metric 3; ${at} -6 route append fd99::/64 dev d2 proto 110 metric 3`,
    )
    using other = new Mirror(namespaces)
    t.deepEqual([linksOf(other.look().tables), linksOf(mirror.look().tables)], [2, 2])
    sh(`${at} -6 route append fd99::/64 dev d3 proto 110 metric 3`)
    mirror.catchUp()
    t.true(mirror.different)
    t.deepEqual([linksOf(other.look().tables), linksOf(mirror.look().tables)], [3, 3])
    sh(`${at} -6 route del fd99::/64 dev d1 metric 3; ${at} -6 route del fd99::/64 dev d2 metric 3`)
    t.deepEqual([linksOf(other.look().tables), linksOf(mirror.look().tables)], [1, 1])
  },
)

test.serial('an overrun and a namespace made anew are read anew', (t) => {
  mirror.look()
  sh(`ip -n ${NETNS} link add d1 up type dummy
    seq 9000 | sed 's/.*/link set d1 alias a-rather-long-alias-of-number-&/' | ip -n ${NETNS} -batch -`)
  t.is(mirror.look().changes, 'everything')
  t.deepEqual(lastingDisagreement(mirror.look().tables), none)
  sh(`ip netns del ${NETNS}; ip netns add ${NETNS}; ip -n ${NETNS} link add d2 type dummy`)
  namespaces.refresh()
  const { changes, tables } = mirror.look()
  t.is(changes, 'everything')
  t.deepEqual(
    [...tables.router.links.values()].map(({ name }) => name),
    ['lo', 'd2'],
  )
  sh(`ip -n ${NETNS} link del d2`)
  t.deepEqual(changed(mirror.look().changes), { ...nothing, router: ['d2'] })
})

/**
 * Things that anybody may do in either namespace. Many are refused, which does not matter: what counts is that the mirror
 * agrees with the kernel afterwards. Links are up when only their alias or options change: of a link that is down the
 * kernel tells neither (netdev_state_change).
 */
const name = fc.constantFrom('fa', 'fb', 'fc', 'fd')
const bridge = fc.constantFrom('fbr', 'fbv')
const vid = fc.integer({ min: 2, max: 12 })
const where = fc.constantFrom('', `-n ${NETNS} `)
const address = fc.constantFrom('10.0.0.1/24', '10.0.0.2/24', '10.0.1.1/32', 'fd00::1/64', 'fd00::1/80')
const on = fc.constantFrom('on', 'off')
const step = fc.oneof(
  fc
    .tuple(where, name, fc.constantFrom('dummy', 'bridge', 'vrf table 50', 'vxlan id 7 local 10.7.7.7 dstport 4789'))
    .map(([n, a, kind]) => `ip ${n}link add ${a} type ${kind}`),
  fc.tuple(where, name, name, where).map(([n, a, b, other]) => {
    const netns = other === '' ? '$$' : NETNS
    return `ip ${n}link add ${a} type veth peer name ${b}x netns ${netns}`
  }),
  fc.tuple(where, fc.constantFrom(0, 1), fc.constantFrom(0, 1)).map(
    ([n, filtering, pvid]) =>
      `ip ${n}link add fbv type bridge vlan_filtering ${filtering} vlan_default_pvid ${pvid}
       ip ${n}link add fbr type bridge
       ip ${n}link add fvx type vxlan external vnifilter local 10.7.7.7 dstport 4790
       ip ${n}link set fvx master fbv; bridge ${n}link set dev fvx vlan_tunnel on`,
  ),
  fc.tuple(where, fc.oneof(name, bridge)).map(([n, a]) => `ip ${n}link del ${a}`),
  fc.tuple(where, name, on).map(([n, a, up]) => `ip ${n}link set ${a} ${up === 'on' ? 'up' : 'down'}`),
  fc.tuple(where, fc.oneof(name, bridge)).map(([n, a]) => `ip ${n}link set ${a} up`),
  fc
    .tuple(where, name, fc.integer({ min: 1280, max: 1400 }))
    .map(([n, a, mtu]) => `ip ${n}link set ${a} up mtu ${mtu} alias m${mtu}`),
  fc.tuple(where, name, fc.oneof(bridge, name)).map(([n, a, m]) => `ip ${n}link set ${a} master ${m}`),
  fc.tuple(where, name).map(([n, a]) => `ip ${n}link set ${a} nomaster`),
  fc.tuple(where, name, name).map(([n, a, b]) => `ip ${n}link set ${a} name ${b}`),
  fc.tuple(where, name).map(([n, a]) => `ip ${n}link set ${a} netns ${n === '' ? NETNS : '$$'}`),
  fc.tuple(where, name, address).map(([n, a, ip]) => `ip ${n}addr replace ${ip} dev ${a} nodad`),
  fc.tuple(where, name, address).map(([n, a, ip]) => `ip ${n}addr del ${ip} dev ${a}`),
  fc
    .tuple(where, name, on)
    .map(([n, a, flag]) => `bridge ${n}link set dev ${a} neigh_suppress ${flag} learning ${flag}`),
  fc.tuple(where, name, on).map(([n, a, flag]) => `ip ${n}link set ${a} up type bridge_slave isolated ${flag}`),
  fc
    .tuple(where, fc.oneof(name, fc.constant('fvx')), vid, vid)
    .map(([n, a, v, w]) => `bridge ${n}vlan add dev ${a} vid ${v}-${v + w}`),
  fc.tuple(where, name, vid).map(([n, a, v]) => `bridge ${n}vlan add dev ${a} vid ${v} pvid untagged`),
  fc.tuple(where, fc.oneof(name, fc.constant('fvx')), vid).map(([n, a, v]) => `bridge ${n}vlan del dev ${a} vid ${v}`),
  fc.tuple(where, vid).map(([n, v]) => `bridge ${n}vlan add dev fbv vid ${v} self`),
  fc.tuple(where, vid, vid).map(([n, v, w]) => `bridge ${n}vlan add dev fvx vid ${v} tunnel_info id ${100 + w}`),
  fc
    .tuple(where, fc.constantFrom(0, 1, 5))
    .map(([n, pvid]) => `ip ${n}link set fbv up type bridge vlan_default_pvid ${pvid}`),
  fc
    .tuple(where, fc.constantFrom(0, 1))
    .map(([n, filter]) => `ip ${n}link set fbv up type bridge vlan_filtering ${filter}`),
  fc.tuple(where, on).map(([n, flag]) => `bridge ${n}link set dev fvx vlan_tunnel ${flag}`),
  fc.tuple(where, on).map(([n, flag]) => `ip ${n}link set fvx up type bridge_slave vlan_tunnel ${flag}`),
  fc
    .tuple(name, fc.constantFrom('110', '186'))
    .map(([a, proto]) => `ip -n ${NETNS} route replace 10.9.0.0/16 dev ${a} proto ${proto}`),
  fc
    .tuple(name, fc.constantFrom('110', '186'))
    .map(([a, proto]) => `ip -n ${NETNS} -6 route replace fd99::/64 dev ${a} proto ${proto}`),
  fc
    .tuple(name, vid)
    .map(([a, metric]) => `ip -n ${NETNS} -6 route append fd99::/64 dev ${a} proto 110 metric ${metric}`),
  fc.constantFrom(
    `ip -n ${NETNS} route del 10.9.0.0/16`,
    `ip -n ${NETNS} route add unreachable default table 50 metric 4278198272 proto 110`,
    `ip -n ${NETNS} route flush table 50`,
    `ip -n ${NETNS} rule add priority 32765 table local; ip -n ${NETNS} rule del priority 0`,
    `ip -n ${NETNS} rule add priority 0 table local; ip -n ${NETNS} rule del priority 32765`,
    `ip netns exec ${NETNS} sysctl -qw net.ipv4.ip_forward=1`,
    `ip netns exec ${NETNS} sysctl -qw net.ipv4.ip_forward=0`,
  ),
)

test.serial('whatever happens in both namespaces, the mirror has what a fresh look has', (t) => {
  t.timeout(300_000)
  sh(`ip -n ${NETNS} link set lo up`)
  mirror.look()
  let done = 0
  let found = none
  try {
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 12 }), (steps) => {
        sh(steps.map((command) => `( ${command} ) 2>/dev/null || true`).join('\n'))
        const { tables, changes } = mirror.look()
        if (changes !== 'everything') done++
        found = lastingDisagreement(tables)
        return agrees(found)
      }),
      { endOnFailure: true, interruptAfterTimeLimit: 200_000, numRuns: Number(process.env['NODELEAF_FUZZ'] ?? 40) },
    )
  } catch (error) {
    t.log(found)
    throw error
  }
  t.true(done > 10, `${done} looks were not of everything`)
})
