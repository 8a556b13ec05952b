import test from 'ava'
import * as fc from 'fast-check'
import { hostSession } from '../kinds/session.ts'
import { hostAddresses } from './host-session.ts'
import { hostAddressWriter } from './host-address-writer.ts'

const ipv4 = fc.constantFrom(
  undefined,
  '192.169.10.0/24',
  '10.255.0.0/16',
  '10.0.0.4/30',
  '192.0.2.128/25',
  '223.0.0.0/8',
)
const ipv6 = fc.constantFrom(
  undefined,
  'fd00:c9:10::/64',
  'fd00::/126',
  'fd00:0:0:1::/64',
  'fd00:0:0:0:1::/80',
  'fd00:1:1:1:1:1::/96',
  'fd00:1:1:1:1:1:1:0/112',
  'fd00:0:0:1:1:1:1:1000/116',
  'fd00:1:1:1:1:1:1:8/125',
)

test('the writer says what is said of a single node', (t) => {
  fc.assert(
    fc.property(ipv4, ipv6, fc.oneof(fc.nat(300), fc.nat(70_000), fc.nat(16_777_215)), (four, six, index) => {
      if (four === undefined && six === undefined) return
      const session = hostSession.parse({ hostASN: 1, localCIDR: { ipv4: four, ipv6: six } })
      const writer = hostAddressWriter(session)
      const expected = hostAddresses(session, index)
      t.deepEqual(writer.addresses(index), expected)
      t.is(index <= writer.lastIndex, expected !== undefined)
      if (writer.lastIndex > 2 ** 40) return
      t.truthy(hostAddresses(session, writer.lastIndex))
      t.is(hostAddresses(session, writer.lastIndex + 1), undefined)
    }),
    { numRuns: 2000 },
  )
})
