/** Where FRR is installed on this machine, and who it runs as. */
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FrrError } from './frr-error.ts'
import type { Daemon } from './tree.ts'

/** Debian, Red Hat, source builds; then PATH. */
const places = ['/usr/lib/frr', '/usr/libexec/frr', '/usr/local/sbin', '/usr/sbin']

/** @throws FrrError `not-installed` */
export function binaryOf(daemon: Daemon): string {
  const path = (process.env['PATH'] ?? '').split(':').filter((dir) => dir !== '')
  const found = [...places, ...path].map((dir) => join(dir, daemon)).find(isExecutable)
  if (found !== undefined) return found
  throw new FrrError('not-installed', `FRR's ${daemon} is not installed: install the package frr (apt install frr)`)
}

/** The user that FRR's daemons become. @throws FrrError `not-installed` */
export function userOf(name = 'frr'): { readonly uid: number; readonly gid: number } {
  const fields = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([user]) => user === name)
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])]
  if (Number.isInteger(uid) && Number.isInteger(gid)) return { uid, gid }
  throw new FrrError('not-installed', `There is no user ${name}: install the package frr (apt install frr)`)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
