/** What programs cost, as the kernel counts it. */
import { readFileSync } from 'node:fs'
import type { Costs } from './sample.ts'

/** USER_HZ, which /proc counts in, is 100 on every platform that Node.js runs on. */
const TICKS = 100

/** CPU seconds since each program's start; one that is gone counts nothing. */
export function cpuOf(pids: Readonly<Record<string, number | undefined>>): Costs {
  return Object.fromEntries(
    Object.entries(pids).flatMap(([name, pid]) => {
      const seconds = pid === undefined ? undefined : cpuSeconds(pid)
      return seconds === undefined ? [] : [[name, seconds]]
    }),
  )
}

export function since(before: Costs, after: Costs): Costs {
  return Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [name, Math.max(0, seconds - (before[name] ?? 0))]),
  )
}

/** Resident memory in MiB. */
export function rssOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) / 1024
}

/** Share of the machine's CPU time that was idle, from two readings. */
export function idleShare(before: readonly number[], after: readonly number[]): number {
  const spent = after.map((value, at) => value - (before[at] ?? 0))
  const total = spent.reduce((sum, each) => sum + each, 0)
  // user nice system idle iowait ...: proc(5).
  return total === 0 ? 0 : ((spent[3] ?? 0) + (spent[4] ?? 0)) / total
}

export function machineTimes(): readonly number[] {
  const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n')
  return first.split(/\s+/).slice(1, 9).map(Number)
}

function cpuSeconds(pid: number): number | undefined {
  const fields = statOf(pid)
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) / TICKS
}

/** Fields of proc(5)'s stat after the name, which may hold anything: state, parent, ... */
function statOf(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
