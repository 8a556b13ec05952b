import test from 'ava'
import * as fc from 'fast-check'
import { AF_INET, AF_INET6, ipBytes, ipText, macBytes, macText, parsePrefix } from './inet.ts'

test('IPv6 addresses are written as RFC 5952 says', (t) => {
  const cases = {
    '::': '::',
    '0:0:0:0:0:0:0:1': '::1',
    'FD00:0:0:1::': 'fd00:0:0:1::',
    '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
    '2001:0:0:1:0:0:0:1': '2001:0:0:1::1',
    '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    '::ffff:192.0.2.1': '::ffff:192.0.2.1',
    '64:ff9b::192.0.2.33': '64:ff9b::c000:221',
  }
  for (const [text, canonical] of Object.entries(cases)) t.is(ipText(ipBytes(text)), canonical)
})

test('every address survives the way to text and back', (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 }).map((list) => Uint8Array.from(list)),
  )
  fc.assert(fc.property(bytes, (address) => Buffer.from(address).equals(ipBytes(ipText(address)))))
  t.pass()
})

test('what is no address is refused', (t) => {
  for (const text of ['', '10.0.0', '10.0.0.256', 'fe80::1%eth0', 'example.org', '1:2:3', '10.0.0.0/8']) {
    t.throws(() => ipBytes(text), { instanceOf: TypeError }, text)
  }
})

test('a prefix keeps its host bits; without a length it is a host', (t) => {
  t.deepEqual(parsePrefix('10.1.2.3/24'), { family: AF_INET, bytes: Buffer.from([10, 1, 2, 3]), length: 24 })
  t.is(parsePrefix('10.1.2.3').length, 32)
  t.like(parsePrefix('::/0'), { family: AF_INET6, length: 0 })
  for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8.5']) {
    t.throws(() => parsePrefix(text), { instanceOf: TypeError }, text)
  }
})

test('a MAC address survives the way to bytes and back', (t) => {
  t.is(macText(macBytes('02:6E:6c:00:00:64')), '02:6e:6c:00:00:64')
  t.throws(() => macBytes('02:6e:6c:00:00'), { instanceOf: TypeError })
  t.throws(() => macBytes('02-6e-6c-00-00-64'), { instanceOf: TypeError })
})
