/**
 * TCP connections of a namespace that are established: `ss -tn state established`. Asked of NETLINK_SOCK_DIAG
 * (include/uapi/linux/inet_diag.h: struct inet_diag_req_v2, struct inet_diag_msg), which costs no daemon anything.
 */
import { AF_INET, AF_INET6 } from './inet.ts'
import { Netlink } from './netlink.ts'

const NETLINK_SOCK_DIAG = 4
const SOCK_DIAG_BY_FAMILY = 20
const IPPROTO_TCP = 6
/** A bit for each state; TCP_ESTABLISHED is 1. */
const ESTABLISHED = 1 << 1
const REQUEST_BYTES = 56
/** idiag_cookie: of no two sockets since the machine has booted. */
const COOKIE = 44

/** The socket for `establishedTcp` of a namespace. Throws errors like node:fs does. */
export function openSockDiag(netns: string): Netlink {
  return Netlink.open({ netns, protocol: NETLINK_SOCK_DIAG, receiveBytes: 16 << 10 })
}

/** A text for each connection, of which no other has the same. Throws NetlinkError ENOENT when the kernel lacks tcp_diag. */
export function establishedTcp(netlink: Netlink): readonly string[] {
  return [AF_INET, AF_INET6]
    .flatMap((family) => {
      const body = Buffer.alloc(REQUEST_BYTES)
      body.writeUInt8(family, 0)
      body.writeUInt8(IPPROTO_TCP, 1)
      body.writeUInt32LE(ESTABLISHED, 4)
      const request = { type: SOCK_DIAG_BY_FAMILY, flags: 0, body, asked: 'list TCP connections' }
      return netlink.dump(request).map((message) => message.body.toString('hex', COOKIE, COOKIE + 8))
    })
    .toSorted()
}
