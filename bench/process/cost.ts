/** What a process costs, as the kernel counts it: proc_pid_stat(5), proc_pid_status(5). */
import { readFileSync, writeFileSync } from 'node:fs'

/** MiB. */
export interface Memory {
  readonly rss: number
  /** The most since `resetPeak`, or since its start. */
  readonly peak: number
}

/** USER_HZ, which /proc counts in, is 100 on every platform that Node.js runs on. */
const TICKS = 100

/** @throws Error when it is gone */
export function memoryOf(pid: number): Memory {
  return memoryIn(readFileSync(`/proc/${pid}/status`, 'utf8'))
}

/** From now on `peak` is of what comes: proc_pid_clear_refs(5). */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** CPU seconds since its start, its own and the kernel's for it; undefined: it is gone. */
export function cpuSeconds(pid: number): number | undefined {
  try {
    return cpuSecondsIn(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return undefined
  }
}

export function memoryIn(status: string): Memory {
  const megabytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  return { rss: megabytes('VmRSS'), peak: megabytes('VmHWM') }
}

/** After the name, which may hold anything, utime and stime are the 12th and 13th field. */
export function cpuSecondsIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}
