import test from 'ava'
import * as fc from 'fast-check'
import { parseAddress, parsePrefix, contains } from '../address/prefix.ts'
import {
  fnv1a,
  gatewayMAC,
  poolAddress,
  routerMAC,
  sessionHostAddress,
  sessionRouterAddress,
  vrfTables,
} from './numbers.ts'

test('node N has address 1 + N of a pool', (t) => {
  t.is(poolAddress('100.65.0.0/24', 0), '100.65.0.1')
  t.is(poolAddress('100.65.0.0/24', 254), '100.65.0.255')
  t.is(poolAddress('100.65.0.0/24', 255), undefined)
  t.is(poolAddress('fd00:65::/64', 0xffff), 'fd00:65::1:0')
  t.is(poolAddress('10.0.0.0/31', 0), '10.0.0.1')
})

test('in a host session the router has the first address and node N the second and on', (t) => {
  t.is(sessionRouterAddress('192.169.10.0/24'), '192.169.10.1')
  t.is(sessionHostAddress('192.169.10.0/24', 0), '192.169.10.2')
  t.is(sessionHostAddress('fd00:c9:10::/64', 1), 'fd00:c9:10::3')
})

test('the broadcast address is not handed out', (t) => {
  t.is(sessionHostAddress('192.169.10.0/24', 252), '192.169.10.254')
  t.is(sessionHostAddress('192.169.10.0/24', 253), undefined)
  t.is(sessionHostAddress('192.169.10.0/24', 254), undefined)
  t.is(sessionHostAddress('192.169.10.0/30', 0), '192.169.10.2')
  t.is(sessionHostAddress('192.169.10.0/30', 1), undefined)
  t.is(sessionHostAddress('fd00::/126', 1), 'fd00::3')
})

test('no two nodes share an address, and all are in the network', (t) => {
  const cidrs = fc.constantFrom('10.0.0.0/16', 'fd00::/112', '10.1.2.128/25')
  fc.assert(
    fc.property(cidrs, fc.nat(70000), fc.nat(70000), (cidr, a, b) => {
      const network = parsePrefix(cidr)
      for (const at of [poolAddress, sessionHostAddress]) {
        const [first, second] = [at(cidr, a), at(cidr, b)]
        if (first === undefined || second === undefined) continue
        t.is(first === second, a === b)
        const address = parseAddress(first)
        t.true(network && address && contains(network, address))
        t.not(at === sessionHostAddress ? first : '', sessionRouterAddress(cidr))
      }
    }),
  )
})

test('the gateway has the MAC of its VNI, the router that of its VTEP', (t) => {
  t.is(gatewayMAC(110), '02:6e:6c:00:00:6e')
  t.is(gatewayMAC(16777215), '02:6e:6c:ff:ff:ff')
  t.is(routerMAC('100.65.0.1'), '02:6e:64:41:00:01')
  t.is(routerMAC('255.255.255.255'), '02:6e:ff:ff:ff:ff')
  t.regex(routerMAC('fd00:65::1'), /^02:6e(:[0-9a-f]{2}){4}$/)
})

test('FNV-1a has the known values', (t) => {
  t.is(fnv1a(''), 0x811c9dc5)
  t.is(fnv1a('a'), 0xe40c292c)
  t.is(fnv1a('foobar'), 0xbf9cf968)
})

test('every VRF has a table of its own, never one of the kernel, whatever the order of names', (t) => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 15 }), { maxLength: 50 })
  fc.assert(
    fc.property(names, (given) => {
      const tables = vrfTables(given)
      t.is(new Set(tables.values()).size, given.length)
      t.true([...tables.values()].every((table) => table >= 10000 && table < 2 ** 31))
      t.deepEqual([...vrfTables(given.toReversed())], [...tables])
    }),
  )
})

test('a collision moves the later name up by one', (t) => {
  const seen = new Map<number, string>()
  for (let i = 0; ; i++) {
    const name = `v${i}`
    const table = 10000 + (fnv1a(name) % 2 ** 30)
    const other = seen.get(table)
    if (other !== undefined) {
      const [first = '', second = ''] = [name, other].sort()
      t.deepEqual(
        [...vrfTables([second, first])],
        [
          [first, table],
          [second, table + 1],
        ],
      )
      return
    }
    seen.set(table, name)
  }
})
