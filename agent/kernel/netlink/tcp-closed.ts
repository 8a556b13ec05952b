/**
 * Says when a TCP connection in a namespace has ended: `ss --events`. In the router's namespace that is nearly always a BGP
 * session that went down.
 *
 * The kernel tells it to NETLINK_SOCK_DIAG (Linux 4.5, net/core/sock_diag.c, sock_diag_broadcast_destroy) when it has the
 * module tcp_diag; without it nothing is ever told, so this is a hint and never the only source.
 */
import { addon, type WatchHandle } from './addon.ts'
import { openSocket } from './netlink.ts'

const NETLINK_SOCK_DIAG = 4
const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1
const SKNLGRP_INET_TCP_DESTROY = 1
const SKNLGRP_INET6_TCP_DESTROY = 3
const READ_BYTES = 4096

/** Calls `closed` after one or more connections ended, until disposed of. Throws errors like node:fs does. */
export function watchTcpClosed(netns: string, closed: () => void): Disposable {
  const fd = openSocket({ netns, protocol: NETLINK_SOCK_DIAG })
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  const read = (): void => {
    let any = false
    try {
      while (addon().receive(fd, buffer, 1) > 0) any = true
    } catch (error) {
      // Which connection it was does not matter. When it cannot be read any more there are no hints.
      const lost = error instanceof Error && 'code' in error && ['ENOBUFS', 'EMSGSIZE'].includes(String(error.code))
      if (!lost) close()
      any = true
    }
    if (any) closed()
  }
  let watch: WatchHandle | undefined
  const close = (): void => {
    if (watch === undefined) return
    addon().unwatch(watch)
    watch = undefined
    addon().closeSocket(fd)
  }
  try {
    for (const group of [SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY])
      addon().setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    watch = addon().watch(fd, read)
    return { [Symbol.dispose]: close }
  } catch (error) {
    addon().closeSocket(fd)
    throw error
  }
}
