/** What the programs of a node cost between two looks, and whether the machine is idle. */
import { readFileSync } from 'node:fs'
import { cpuSeconds } from '../process/cost.ts'
import type { Costs } from './sample.ts'

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
