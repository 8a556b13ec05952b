/** Whether a pid is who its pid file says: pids are reused, and pid files outlive reboots. */
import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { basename } from 'node:path'

export interface Identity {
  /** Name of the executable. */
  readonly program?: string
  /** An argument it was started with. */
  readonly argument?: string
  /** The file of the network namespace it is in. */
  readonly netns: string
}

/** The number in a pid file; undefined when there is none. */
export function pidIn(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10)
    return pid > 1 ? pid : undefined
  } catch {
    return undefined
  }
}

export function isRunning(pid: number | undefined, { program, argument, netns }: Identity): boolean {
  if (pid === undefined) return false
  try {
    // A program that was upgraded under a running process reads `bgpd (deleted)`.
    const executable = basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '')
    if (program !== undefined && executable !== program) return false
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    if (argument !== undefined && !words.includes(argument)) return false
    const state = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]
    return state !== 'Z' && readlinkSync(`/proc/${pid}/ns/net`) === `net:[${statSync(netns).ino}]`
  } catch {
    return false
  }
}
