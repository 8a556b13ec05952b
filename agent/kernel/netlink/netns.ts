/** Named network namespaces: `ip netns` (a bind mount of the namespace on a file, so that it outlives every process). */
import { statfsSync } from 'node:fs'
import { addon } from './addon.ts'
import { Attributes, MessageWriter } from './attributes.ts'
import type { Netlink } from './netlink.ts'

const NSFS_MAGIC = 0x6e736673
const RTM_GETNSID = 90
const NETNSA_NSID = 1
const NETNSA_FD = 3

/**
 * `ip netns add NAME`, with the whole path. Makes the directory a shared mount, as iproute2 does. In it only `lo`
 * exists, and it is down. Throws an error like node:fs: EEXIST when it is there.
 */
export function createNetns(path: string): void {
  addon().createNetns(path)
}

/** `ip netns del NAME`, with the whole path. What still uses the namespace keeps it. Throws ENOENT when it is not there. */
export function deleteNetns(path: string): void {
  addon().deleteNetns(path)
}

/** Whether a namespace is mounted there; a plain file, left by a crash, is none. */
export function netnsExists(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

/**
 * Calls `call` with this thread in the namespace: for `/proc/sys/net`, which shows the caller's own.
 *
 * Inside, only synchronous calls of node:fs: a thread that libuv starts meanwhile would stay in that namespace. Aborts
 * the process when there is no way back. Throws what `call` throws, or ENOENT and the like for the namespace.
 */
export function runInNetns<T>(path: string, call: () => T): T {
  const result = addon().runInNetns(path, call)
  if (result instanceof Promise) throw new TypeError('what runs in a namespace must be synchronous')
  return result
}

/**
 * What `Link.parentNetnsId` calls a namespace, given by an open descriptor, seen from the netlink socket's own;
 * undefined when that has no link into it. `ip netns list-id`
 */
export function netnsId(netlink: Netlink, netns: number): number | undefined {
  const writer = new MessageWriter()
  writer.struct(4)
  writer.u32(NETNSA_FD, netns)
  const [reply] = netlink.request({ type: RTM_GETNSID, flags: 0, body: writer.finish(), asked: 'get a namespace ID' })
  const id = reply === undefined ? undefined : Attributes.parse(reply.body, 4).i32(NETNSA_NSID)
  return id === undefined || id < 0 ? undefined : id
}
