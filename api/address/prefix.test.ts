import test from 'ava'
import * as fc from 'fast-check'
import {
  addressAt,
  bitsOf,
  contains,
  formatAddress,
  formatPrefix,
  networkOf,
  overlaps,
  parseAddress,
  parsePrefix,
  sizeOf,
  type Prefix,
} from './prefix.ts'

const prefixes: fc.Arbitrary<Prefix> = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc.record({
    family: fc.constant(family),
    value: fc.bigInt({ min: 0n, max: 2n ** BigInt(bitsOf(family)) - 1n }),
    length: fc.integer({ min: 0, max: bitsOf(family) }),
  }),
)

test('what is formatted reads back the same', (t) => {
  fc.assert(
    fc.property(prefixes, (prefix) => {
      t.deepEqual(parsePrefix(formatPrefix(prefix)), prefix)
      t.deepEqual(parseAddress(formatAddress(prefix)), { family: prefix.family, value: prefix.value })
    }),
  )
})

test('two prefixes overlap exactly when an end of one is in the other', (t) => {
  fc.assert(
    fc.property(prefixes, prefixes, (a, b) => {
      const [first, last] = [networkOf(b).value, networkOf(b).value + sizeOf(b) - 1n]
      const [low, high] = [networkOf(a).value, networkOf(a).value + sizeOf(a) - 1n]
      t.is(overlaps(a, b), a.family === b.family && first <= high && low <= last)
      t.is(overlaps(a, b), overlaps(b, a))
    }),
  )
})

test('the addresses of a prefix are in it, and there are no more than its size', (t) => {
  fc.assert(
    fc.property(prefixes, fc.bigInt({ min: 0n, max: 2n ** 128n }), (prefix, offset) => {
      const address = addressAt(prefix, offset)
      t.is(address !== undefined, offset < sizeOf(prefix))
      if (address) t.true(contains(prefix, address))
    }),
  )
})

for (const [text, canonical] of [
  ['FD00:0:0::1', 'fd00::1'],
  ['fd00:0:0:0:0:0:0:0', 'fd00::'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['192.0.2.1', '192.0.2.1'],
] as const) {
  test(`${text} is written as ${canonical}`, (t) => {
    const address = parseAddress(text)
    t.is(address && formatAddress(address), canonical)
  })
}

for (const text of [
  '',
  '1.2.3',
  '1.2.3.4.5',
  '01.2.3.4',
  '256.1.1.1',
  '0x1.2.3.4',
  'fe80::1%eth0',
  '1::2::3',
  '::ffff:1.2.3.4',
  ' 1.2.3.4',
  '1.2.3.4/24',
  ':::',
]) {
  test(`"${text}" is no address`, (t) => t.is(parseAddress(text), undefined))
}

for (const text of [
  '1.2.3.4',
  '1.2.3.4/',
  '1.2.3.4/33',
  '1.2.3.4/-1',
  '1.2.3.4/024',
  '1.2.3.4/24/8',
  'fd00::/129',
  '/24',
  '1.2.3.4/2 4',
]) {
  test(`"${text}" is no prefix`, (t) => t.is(parsePrefix(text), undefined))
}
