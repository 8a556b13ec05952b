/** One agent for a state directory and for a router's namespace. */
import { mkdirSync, realpathSync } from 'node:fs'
import { lock as take } from '../files/lock.ts'

export { LockError } from '../files/lock.ts'

/** Names of what only one agent may work on. */
export function lockNames(stateDir: string, netns: string): string[] {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  return [`nodeleaf-agent/state${realpathSync(stateDir)}`, `nodeleaf-agent/netns/${netns}`]
}

/** Takes all names or none; they are held until disposal or the process's end. @throws LockError */
export function lock(names: readonly string[]): Promise<AsyncDisposable> {
  return take(names, 'agent')
}
