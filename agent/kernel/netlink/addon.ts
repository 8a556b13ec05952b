/** The native half: see addon/addon.h. Everything throws errors with `code`, `errno` and `syscall`, like node:fs. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { existsSync } from 'node:fs'

export interface WatchHandle {
  readonly brand: 'netlink watch'
}

interface Addon {
  /** A bound, non-blocking netlink socket, made in the namespace at the path. */
  openSocket(protocol: number, netnsPath: string | null): number
  closeSocket(fd: number): void
  setOption(fd: number, level: number, name: number, value: number): void
  send(fd: number, bytes: Uint8Array): number
  /** Only what the classic BPF program (struct sock_filter, as bytes) accepts is queued from now on. */
  setFilter(fd: number, program: Uint8Array): void
  /**
   * Bytes of the next `datagrams` (at most 32), one after the other, each from a multiple of four on; 0 when there is none.
   * Each may be as long as its part of the buffer: EMSGSIZE, and all that were taken are lost.
   */
  receive(fd: number, buffer: Uint8Array, datagrams: number): number
  watch(fd: number, callback: () => void): WatchHandle
  unwatch(handle: WatchHandle): void
  runInNetns<T>(path: string, call: () => T): T
  createNetns(path: string): void
  deleteNetns(path: string): void
  /** Gives memory that is free back to the system. */
  trimMemory(): void
}

/** `build/netlink.node` of the package this file (or the bundle it went into) belongs to, or NODELEAF_ADDON. */
function addonPath(): string {
  const configured = process.env['NODELEAF_ADDON']
  if (configured !== undefined && configured !== '') return configured
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const candidate = join(folder, 'build', 'netlink.node')
    if (existsSync(candidate)) return candidate
    if (folder === dirname(folder)) break
  }
  throw new Error(`build/netlink.node is not there: run hack/build-addon, or set NODELEAF_ADDON to its path`)
}

let loaded: Addon | undefined

/** Loaded at first use, so that what only decodes (tests, `nodeleaf plan`) runs without it. */
export function addon(): Addon {
  const path = loaded === undefined ? addonPath() : ''
  loaded ??= createRequire(import.meta.url)(path) as Addon
  return loaded
}
