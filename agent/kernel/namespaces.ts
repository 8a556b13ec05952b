/** The two network namespaces the agent works in, with their netlink sockets. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { Netlink } from './netlink/netlink.ts'
import { createNetns, deleteNetns, netnsExists, runInNetns } from './netlink/netns.ts'
import { openSockDiag } from './netlink/tcp-established.ts'
import type { Namespace } from './objects.ts'

/** "Host" is the namespace the agent was started in. */
export const HOST_NETNS = '/proc/self/ns/net'

export class Namespaces implements Disposable {
  readonly routerPath: string
  readonly #host: Netlink
  /** -1 when closed. */
  #hostFd: number
  /** `fd` keeps the namespace, whatever becomes of its name. */
  #router: { readonly netlink: Netlink; readonly inode: number; readonly fd: number } | undefined
  /** Of that namespace; it stays open, for it is used every second. */
  #sockDiag: Netlink | undefined
  #otherWrites = 0

  /** `netns` is a name (`nodeleaf`) or a path. */
  constructor(netns: string) {
    this.routerPath = netns.includes('/') ? netns : `/run/netns/${netns}`
    this.#host = Netlink.open()
    this.#hostFd = openSync(HOST_NETNS, 'r')
  }

  get routerExists(): boolean {
    return netnsExists(this.routerPath)
  }

  /**
   * Makes the router's namespace when it is not there, and follows one that was made anew. One that has only lost its
   * name (`ip netns del` while FRR and the NICs are in it) gets it back: nothing in it has noticed.
   */
  refresh(): void {
    if (!this.routerExists) {
      if (this.#router === undefined || !named(this.#router.fd, this.routerPath)) createNetns(this.routerPath)
      this.#otherWrites++
    }
    const { ino } = statSync(this.routerPath)
    if (this.#router?.inode === ino) return
    this.#dropRouter()
    const fd = openSync(this.routerPath, 'r')
    try {
      this.#router = { netlink: Netlink.open({ netns: this.routerPath }), inode: ino, fd }
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  netlink(namespace: Namespace): Netlink {
    if (namespace === 'host') return this.#host
    if (this.#router === undefined) this.refresh()
    if (this.#router === undefined) throw new Error(`no namespace ${this.routerPath}`)
    return this.#router.netlink
  }

  /** The socket that tells about TCP connections of the router. Throws errors like node:fs does. */
  get sockDiag(): Netlink {
    this.netlink('router')
    return (this.#sockDiag ??= openSockDiag(this.routerPath))
  }

  /** An open descriptor of the namespace itself. It stays this class's. */
  descriptor(namespace: Namespace): number {
    if (namespace === 'router') this.netlink('router')
    const fd = namespace === 'host' ? this.#hostFd : this.#router?.fd
    if (fd === undefined) throw new Error(`no namespace ${this.path(namespace)}`)
    return fd
  }

  path(namespace: Namespace): string {
    return namespace === 'host' ? HOST_NETNS : this.routerPath
  }

  get writes(): number {
    return this.#otherWrites + this.#host.writes + (this.#router?.netlink.writes ?? 0)
  }

  /** Those that the kernel has, by path. */
  readSysctls(namespace: Namespace, paths: readonly string[]): Map<string, string> {
    return this.#inside(namespace, () => {
      const values = new Map<string, string>()
      for (const path of paths) {
        try {
          values.set(path, readFileSync(`/proc/sys/${path}`, 'latin1').trim())
        } catch {
          // Not in this kernel, or (stable_secret) not set.
        }
      }
      return values
    })
  }

  writeSysctl(namespace: Namespace, path: string, value: string): void {
    this.#otherWrites++
    this.#inside(namespace, () => writeFileSync(`/proc/sys/${path}`, value))
  }

  #inside<T>(namespace: Namespace, call: () => T): T {
    return namespace === 'host' ? call() : runInNetns(this.routerPath, call)
  }

  /** Links that are still in it go with it; NICs of hardware fall back to the initial namespace. */
  removeRouter(): void {
    this.#dropRouter()
    deleteNetns(this.routerPath)
    this.#otherWrites++
  }

  #dropRouter(): void {
    this.#otherWrites += this.#router?.netlink.writes ?? 0
    this.#router?.netlink.close()
    this.#sockDiag?.close()
    this.#sockDiag = undefined
    if (this.#router !== undefined) closeSync(this.#router.fd)
    this.#router = undefined
  }

  close(): void {
    this.#dropRouter()
    this.#host.close()
    if (this.#hostFd >= 0) closeSync(this.#hostFd)
    this.#hostFd = -1
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * `ip netns attach`, from within: a bind of `fd` itself would join the old mount's peers, and not let itself be undone
 * everywhere (fs/pnode.c); a process's own `ns/net` has none.
 */
function named(fd: number, path: string): boolean {
  try {
    writeFileSync(path, '', { mode: 0o444, flag: 'a' })
    const mount = ['mount', '--no-canonicalize', '--bind', '/proc/self/ns/net', path]
    execFileSync('nsenter', [`--net=/proc/${process.pid}/fd/${fd}`, ...mount], { stdio: 'ignore' })
    return true
  } catch {
    rmSync(path, { force: true })
    return false
  }
}
