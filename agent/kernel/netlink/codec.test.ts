/** Properties of the codec: what is written is read back the same, and no bytes at all make it crash or loop. */
import test from 'ava'
import * as fc from 'fast-check'
import { decodeAddress, encodeAddress } from './address.ts'
import { Attributes, MessageWriter } from './attributes.ts'
import { decodeBridgeVlans, encodeBridgeVlans } from './bridge-vlan.ts'
import { decodeFdb, encodeFdb } from './fdb.ts'
import { AF_INET, AF_INET6, ipText } from './inet.ts'
import type { Family } from './inet.ts'
import { linkChangeRequests } from './link.ts'
import { decodeLink, encodeChange, encodeLink, nameIn } from './link-message.ts'
import type { LinkChange } from './link.ts'
import type { LinkData } from './link-data.ts'
import { failure, messages } from './message.ts'
import { decodeNeighbour, encodeNeighbour } from './neighbour.ts'
import { NetlinkError } from './netlink-error.ts'
import { decodeRoute, encodeRoute } from './route-message.ts'
import { decodeRule, encodeRule } from './rule.ts'
import { decodeVnis, encodeVnis } from './vni-filter.ts'

const u8 = fc.integer({ min: 0, max: 0xff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffffffff })
const index = fc.integer({ min: 1, max: 0x7fffffff })
const vni = fc.integer({ min: 1, max: 0xffffff })
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,14}$/)
const flag = fc.boolean()
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const ipv4 = bytes(4).map(ipText)
const ipv6 = bytes(16).map(ipText)
const ip = fc.oneof(ipv4, ipv6)
const mac = bytes(6).map((value) =>
  Buffer.from(value)
    .toString('hex')
    .replace(/(..)(?!$)/g, '$1:'),
)
/** An address with a prefix length, of a family. */
const prefixed = (family: Family) =>
  family === AF_INET
    ? fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([address, length]) => `${address}/${length}`)
    : fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map(([address, length]) => `${address}/${length}`)
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

/** Every member of `spec` that is set is the same in what was read. */
function agrees(spec: object, read: object): boolean {
  return Object.entries(spec).every(([key, value]) => {
    if (value === undefined) return true
    const other = (read as Record<string, unknown>)[key]
    if (Array.isArray(value)) {
      return Array.isArray(other) && value.length === other.length && value.every((item, at) => agrees(item, other[at]))
    }
    if (typeof value === 'object' && value !== null) return agrees(value, other as object)
    return Object.is(value, other)
  })
}

function roundTrips<T extends object>(spec: fc.Arbitrary<T>, read: (value: T) => object): void {
  fc.assert(
    fc.property(spec, (value) => {
      const back = read(value)
      if (!agrees(value, back)) throw new Error(`${JSON.stringify(value)} was read as ${JSON.stringify(back)}`)
    }),
  )
}

const port = fc.record({
  learning: maybe(flag),
  neighSuppress: maybe(flag),
  isolated: maybe(flag),
  hairpin: maybe(flag),
  vlanTunnel: maybe(flag),
  flood: maybe(flag),
  mcastFlood: maybe(flag),
  bcastFlood: maybe(flag),
  guard: maybe(flag),
  cost: maybe(u32),
  priority: maybe(u16),
})

const linkData: fc.Arbitrary<LinkData> = fc.oneof(
  fc.record({
    kind: fc.constant('bridge' as const),
    vlanFiltering: maybe(flag),
    vlanDefaultPvid: maybe(u16),
    mcastSnooping: maybe(flag),
    stp: maybe(flag),
    forwardDelay: maybe(u32),
    ageingTime: maybe(u32),
    groupForwardMask: maybe(u16),
  }),
  fc.record({
    kind: fc.constant('vxlan' as const),
    vni: maybe(vni),
    local: maybe(ip),
    remote: maybe(ip),
    port: maybe(u16),
    learning: maybe(flag),
    link: maybe(index),
    ttl: maybe(u8),
    tos: maybe(u8),
    df: maybe(u8),
    ageing: maybe(u32),
    external: maybe(flag),
    vniFilter: maybe(flag),
    udpChecksum: maybe(flag),
    udpZeroChecksum6Transmit: maybe(flag),
    udpZeroChecksum6Receive: maybe(flag),
  }),
  fc.record({ kind: fc.constant('vrf' as const), table: u32 }),
  fc.record({ kind: fc.constant('vlan' as const), id: u16, protocol: fc.constantFrom('802.1Q', '802.1ad') }),
  fc.record({ kind: fc.constant('dummy' as const) }),
  fc.record({ kind: fc.constant('veth' as const) }),
)

const link = {
  name,
  mtu: maybe(u32),
  mac: maybe(mac),
  group: maybe(u32),
  txQueueLength: maybe(u32),
  data: linkData,
}

test('a link to be made is read back as it was written', (t) => {
  roundTrips(fc.record({ ...link, parent: maybe(index) }), (spec) => decodeLink(encodeLink(spec)))
  t.pass()
})

test('the name alone is what a whole reading finds, wherever it stands', (t) => {
  fc.assert(
    fc.property(fc.record({ ...link, parent: maybe(index) }), (spec) => t.is(nameIn(encodeLink(spec)), spec.name)),
  )
  const head = encodeLink({ name: 'x', data: { kind: 'dummy' } }).subarray(0, 16)
  const body = new MessageWriter().u32(4, 1500).string(3, 'br100').finish()
  t.is(nameIn(Buffer.concat([head, body])), 'br100')
  t.is(nameIn(head), '')
})

test('a change of a link is in as few messages as the kernel takes it in', (t) => {
  const kinds = (change: LinkChange) => linkChangeRequests(7, change).map(({ body }) => decodeLink(body))
  t.is(kinds({ alias: 'x', mtu: 1400, bridgePort: { learning: true }, up: true }).length, 1)
  t.is(kinds({ alias: 'x', addrGenMode: 'none', up: true }).length, 2, 'the mode is taken after up')
  t.is(kinds({ master: 3, bridgePort: { learning: true }, up: true }).length, 2, 'options are taken before the master')
  t.deepEqual(
    kinds({ mac: '02:00:00:00:00:01', up: false }).map((made) => [made.mac, made.up]),
    [
      [undefined, false],
      ['02:00:00:00:00:01', false],
    ],
  )
  t.deepEqual(kinds({}), [])
})

test('a change of a link is read back as it was written', (t) => {
  const change = fc.record({
    ...link,
    master: maybe(index),
    alias: maybe(fc.string({ maxLength: 60 }).filter((text) => !text.includes('\0'))),
    addrGenMode: maybe(fc.constantFrom('eui64' as const, 'none' as const, 'stable-privacy' as const)),
  })
  roundTrips(change, (spec) => decodeLink(encodeChange(7, spec)))
  t.pass()
})

test('bridge port options are read back as they were written', (t) => {
  // The kernel sends them where a change has them: in the link's slave data.
  roundTrips(fc.record({ bridgePort: port }), (change) => {
    const [message, ...others] = linkChangeRequests(7, change)
    t.deepEqual(others, [])
    return decodeLink(message!.body)
  })
})

test('an address is read back as it was written', (t) => {
  const ofFamily = (family: Family) =>
    fc.record({
      link: index,
      address: prefixed(family),
      peer: maybe(family === AF_INET ? ipv4 : ipv6),
      broadcast: family === AF_INET ? maybe(ipv4) : fc.constant(undefined),
      label: maybe(name),
      scope: maybe(u8),
      noPrefixRoute: flag,
      noDad: flag,
      manageTemporary: flag,
      metric: maybe(u32),
      protocol: maybe(u8),
    })
  // A peer equal to the address is no peer.
  const spec = fc
    .oneof(ofFamily(AF_INET), ofFamily(AF_INET6))
    .filter(({ address, peer }) => peer === undefined || !address.startsWith(`${peer}/`))
  roundTrips(spec, (value) => decodeAddress(encodeAddress(value)))
  t.pass()
})

test('lifetimes of an address are read back, and forever is absent', (t) => {
  const spec = { link: 1, address: 'fd00::1/64' }
  t.like(decodeAddress(encodeAddress({ ...spec, validSeconds: 60, preferredSeconds: 30 })), {
    validSeconds: 60,
    preferredSeconds: 30,
  })
  t.like(decodeAddress(encodeAddress(spec)), { validSeconds: undefined, preferredSeconds: undefined })
})

test('a route is read back as it was written', (t) => {
  const nexthop = (family: Family) =>
    fc.record({
      // IPv4 routes may have IPv6 gateways (RFC 5549), not the other way round.
      gateway: family === AF_INET ? ip : ipv6,
      link: index,
      onlink: flag,
      weight: fc.integer({ min: 1, max: 256 }),
    })
  const ofFamily = (family: Family) =>
    fc.record({
      destination: prefixed(family).map((text) =>
        text.endsWith('/0') ? `${family === AF_INET ? '0.0.0.0' : '::'}/0` : text,
      ),
      table: u32,
      type: fc.constant('unicast' as const),
      metric: maybe(u32),
      nexthops: fc
        .array(nexthop(family), { maxLength: 5 })
        .map((list) => (list.length === 1 ? list.map((only) => ({ ...only, weight: 1 })) : list)),
      source: maybe(family === AF_INET ? ipv4 : ipv6),
      protocol: u8,
      scope: u8,
      mtu: maybe(u32),
      advertisedMss: maybe(u32),
      hopLimit: maybe(u32),
      initialWindow: maybe(u32),
    })
  roundTrips(fc.oneof(ofFamily(AF_INET), ofFamily(AF_INET6)), (spec) => decodeRoute(encodeRoute(spec)))
  t.pass()
})

test('a route that leads nowhere has no next hop, whatever link the kernel gives it', (t) => {
  const spec = { destination: '::/0', table: 10001, type: 'unreachable', nexthops: [{ link: 1 }] } as const
  t.like(decodeRoute(encodeRoute(spec)), { type: 'unreachable', table: 10001, nexthops: [] })
})

test('a rule is read back as it was written', (t) => {
  const ofFamily = (family: Family) =>
    fc.record({
      family: fc.constant(family),
      priority: u32,
      action: fc.constantFrom('lookup' as const, 'goto' as const, 'unreachable' as const, 'blackhole' as const),
      table: u32,
      l3mdev: flag,
      goto: maybe(u32),
      from: maybe(prefixed(family)),
      to: maybe(prefixed(family)),
      iif: maybe(name),
      oif: maybe(name),
      mark: maybe(u32),
      markMask: maybe(u32),
      suppressPrefixLength: maybe(fc.integer({ min: 0, max: 128 })),
      invert: flag,
      protocol: maybe(u8),
    })
  roundTrips(fc.oneof(ofFamily(AF_INET), ofFamily(AF_INET6)), (spec) => decodeRule(encodeRule(spec)))
  t.pass()
})

test('a neighbour is read back as it was written', (t) => {
  const spec = fc.record({
    link: index,
    address: ip,
    mac: maybe(mac),
    state: fc.constantFrom(
      'permanent' as const,
      'reachable' as const,
      'stale' as const,
      'noarp' as const,
      'none' as const,
    ),
    externLearned: flag,
    router: flag,
    proxy: flag,
    protocol: maybe(u8),
  })
  roundTrips(spec, (value) => decodeNeighbour(encodeNeighbour(value)))
  t.pass()
})

test('a forwarding entry is read back as it was written', (t) => {
  const spec = fc.record({
    link: index,
    mac,
    table: fc.constantFrom('self' as const, 'master' as const),
    state: fc.constantFrom('permanent' as const, 'static' as const, 'dynamic' as const, 'stale' as const),
    vlan: maybe(u16),
    remote: maybe(ip),
    vni: maybe(vni),
    sourceVni: maybe(vni),
    port: maybe(u16),
    via: maybe(index),
    nexthopId: maybe(u32),
    externLearned: flag,
    sticky: flag,
    protocol: maybe(u8),
  })
  roundTrips(spec, (value) => decodeFdb(encodeFdb(value)))
  t.pass()
})

test('VLANs and tunnels of a port are read back as they were written', (t) => {
  const range = fc.tuple(fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 0, max: 94 }))
  const ends = ([vid, more]: [number, number]) => (more === 0 ? { vid } : { vid, last: vid + more })
  const vlans = fc.array(fc.record({ range, pvid: flag, untagged: flag }), { maxLength: 20 })
  const tunnels = fc.array(fc.record({ range, vni: fc.integer({ min: 1, max: 0xffff00 }) }), { maxLength: 20 })
  const spec = fc.record({
    vlans: vlans.map((list) => list.map(({ range: ids, ...flags }) => ({ ...ends(ids), ...flags }))),
    tunnels: tunnels.map((list) => list.map((tunnel) => ({ ...ends(tunnel.range), vni: tunnel.vni }))),
  })
  fc.assert(
    fc.property(spec, (value) => {
      t.deepEqual(decodeBridgeVlans(encodeBridgeVlans(9, value)), { link: 9, ...value })
    }),
  )
})

test('VNIs of a filter are read back as they were written', (t) => {
  const spec = fc.array(
    fc.record({ vni, last: maybe(vni), remote: maybe(ip) }).filter((range) => range.vni !== range.last),
    { maxLength: 20 },
  )
  fc.assert(fc.property(spec, (vnis) => t.deepEqual(decodeVnis(encodeVnis(9, vnis)), { link: 9, vnis })))
})

test('attributes of a newer kernel are ignored', (t) => {
  const body = Buffer.concat([
    encodeLink({ name: 'br0', data: { kind: 'bridge' } }),
    new MessageWriter()
      .bytes(999, Buffer.alloc(40, 1))
      .nest(1000, (nest) => nest.u32(1, 2))
      .finish(),
  ])
  t.like(decodeLink(body), { name: 'br0', kind: 'bridge' })
})

test('a longer payload than known is read by its beginning, a shorter one is an error', (t) => {
  const attributes = Attributes.parse(
    new MessageWriter()
      .bytes(1, Buffer.from([7, 0, 0, 0, 9, 9]))
      .u16(2, 1)
      .finish(),
  )
  t.is(attributes.u32(1), 7)
  t.throws(() => attributes.u32(2), { instanceOf: NetlinkError, code: 'EBADMSG' })
})

const decoders = {
  decodeAddress,
  decodeBridgeVlans,
  decodeFdb,
  decodeLink,
  decodeNeighbour,
  decodeRoute,
  decodeRule,
  decodeVnis,
} as const

test('any bytes are either read or refused with EBADMSG', (t) => {
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // Headers that make sense, with attributes that may not.
    fc
      .tuple(fc.constantFrom(2, 7, 10), fc.uint8Array({ maxLength: 120 }))
      .map(([family, rest]) => Uint8Array.from([family, 0, 0, 0, ...rest])),
  )
  fc.assert(
    fc.property(body, (input) => {
      for (const [decoder, decode] of Object.entries(decoders)) {
        try {
          decode(Buffer.from(input))
        } catch (error) {
          if (!(error instanceof NetlinkError) || error.code !== 'EBADMSG') throw new Error(decoder, { cause: error })
        }
      }
    }),
    { numRuns: 3000 },
  )
  t.pass()
})

test('a message cut anywhere is either read or refused with EBADMSG', (t) => {
  const whole = [
    encodeLink({ name: 'vx100', data: { kind: 'vxlan', vni: 100, local: '100.65.0.1' }, mtu: 1400 }),
    encodeAddress({ link: 3, address: '10.0.0.1/24', label: 'eth0' }),
    encodeRoute({ destination: '10.0.0.0/8', nexthops: [{ gateway: '10.1.1.1' }, { gateway: 'fe80::1', link: 2 }] }),
    encodeRule({ family: AF_INET, from: '10.0.0.0/8', table: 10001 }),
    encodeNeighbour({ link: 3, address: 'fd00::1', mac: '02:00:00:00:00:01' }),
    encodeFdb({ link: 3, mac: '02:00:00:00:00:01', table: 'self', remote: '10.0.0.1' }),
    encodeBridgeVlans(3, { vlans: [{ vid: 1, last: 9 }], tunnels: [{ vid: 1, last: 9, vni: 100 }] }),
    encodeVnis(3, [{ vni: 1, last: 9 }]),
  ]
  for (const body of whole) {
    for (let length = 0; length < body.length; length++) {
      for (const decode of Object.values(decoders)) {
        try {
          decode(body.subarray(0, length))
        } catch (error) {
          if (!(error instanceof NetlinkError)) throw error
          t.is(error.code, 'EBADMSG')
        }
      }
    }
  }
  t.pass()
})

test('any datagram ends, as messages or as an error', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
      try {
        for (const message of messages(Buffer.from(input))) failure(message, request)
      } catch (error) {
        if (!(error instanceof NetlinkError)) throw error
      }
    }),
  )
  t.pass()
})

test('an acknowledgement tells the errno, the text and the attribute', (t) => {
  const body = new MessageWriter()
  body.struct(16)
  body.string(3, 'vrf0').u32(99, 1)
  const asked = { ...request, body: body.finish() }
  // Offset of the second attribute, as the kernel counts it: with the message's header.
  const tlvs = new MessageWriter()
    .string(1, 'VRF table id is missing')
    .u32(2, 16 + 16 + 12)
    .finish()
  const code = Buffer.alloc(4 + 16)
  code.writeInt32LE(-22, 0)
  const ack = { type: 2, flags: 0x100 | 0x200, sequence: 1, body: Buffer.concat([code, tlvs]) }
  const error = failure(ack, asked)
  t.like(error, { code: 'EINVAL', errno: 22, extack: 'VRF table id is missing', attribute: 99 })
  t.is(error?.message, 'add link vrf0: EINVAL (VRF table id is missing)')
})

test('success is no failure', (t) => {
  t.is(failure({ type: 2, flags: 0, sequence: 1, body: Buffer.alloc(20) }, request), undefined)
})

const request = { type: 16, flags: 0, body: Buffer.alloc(16), asked: 'add link vrf0' }
