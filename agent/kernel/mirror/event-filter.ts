/**
 * What the mirror never needs, as a classic BPF program that keeps the kernel from queueing it: settings of single links,
 * three messages for each link that comes; routes that the kernel makes itself for addresses, which take nobody's place
 * (fib_magic, addrconf_prefix_route); and routes of others that go.
 *
 * A loaded number is in network order (linux/filter.h), a message's own is not.
 */
import { RTM_DELROUTE, RTM_NEWROUTE } from '../netlink/route-message.ts'
import { PROTOCOL } from '../owner.ts'
import { RTM_DELNETCONF, RTM_NEWNETCONF } from './netconf.ts'

const LOAD_HALF = 0x28
const LOAD_BYTE = 0x30
const IF_EQUAL = 0x15
const IF_AT_LEAST = 0x35
const RETURN = 0x06
const ALL = 0xffffffff

const NLMSG_TYPE = 4
/** Highest byte of NETCONFA_IFINDEX, which comes first (inet_netconf_fill_devconf): set for `all` and `default`. */
const IFINDEX_SIGN = 16 + 4 + 4 + 3
/** rtm_protocol */
const ROUTE_PROTOCOL = 16 + 5
const RTPROT_KERNEL = 2

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number]

const PROGRAM: readonly Instruction[] = [
  [LOAD_HALF, 0, 0, NLMSG_TYPE],
  [IF_EQUAL, 5, 0, swapped(RTM_NEWNETCONF)],
  [IF_EQUAL, 9, 0, swapped(RTM_DELNETCONF)],
  [IF_EQUAL, 5, 0, swapped(RTM_NEWROUTE)],
  [IF_EQUAL, 0, 6, swapped(RTM_DELROUTE)],
  [LOAD_BYTE, 0, 0, ROUTE_PROTOCOL],
  [IF_EQUAL, 4, 5, PROTOCOL],
  [LOAD_BYTE, 0, 0, IFINDEX_SIGN],
  [IF_AT_LEAST, 2, 3, 0x80],
  [LOAD_BYTE, 0, 0, ROUTE_PROTOCOL],
  [IF_EQUAL, 1, 0, RTPROT_KERNEL],
  [RETURN, 0, 0, ALL],
  [RETURN, 0, 0, 0],
]

/** struct sock_filter, one after the other. */
export const EVENT_FILTER: Uint8Array = encode(PROGRAM)

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(8 * program.length)
  program.forEach(([code, ifTrue, ifFalse, value], at) => {
    bytes.writeUInt16LE(code, 8 * at)
    bytes.writeUInt8(ifTrue, 8 * at + 2)
    bytes.writeUInt8(ifFalse, 8 * at + 3)
    bytes.writeUInt32LE(value, 8 * at + 4)
  })
  return bytes
}

function swapped(type: number): number {
  return ((type & 0xff) << 8) | (type >> 8)
}
