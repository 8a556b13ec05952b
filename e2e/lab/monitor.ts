/** What the kernel itself tells of changes in a namespace, by `ip monitor`. */
import { spawn } from 'node:child_process'
import { eventually } from './eventually.ts'
import type { Namespace } from './namespace.ts'

export interface Monitor {
  /** Ends it and gives what changed, a line a change; neighbours are not looked at, they come and go by themselves. */
  stop(): Promise<readonly string[]>
}

const MARK = 'monitored'

/** Starts it and waits until it hears. `except`: links whose own notices do not count, such as a workload's. */
export async function startMonitor(namespace: Namespace, except: readonly string[] = []): Promise<Monitor> {
  const [file = '', ...args] = namespace.argv('ip', '-o', 'monitor', 'link', 'address', 'route', 'rule')
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const heard = (): Promise<unknown> =>
    eventually(`ip monitor hears of ${namespace.name}`, async () => {
      const before = text.length
      await namespace.ip(`link add ${MARK} type dummy`, `link del ${MARK}`)
      await eventually('it', () => text.slice(before).includes(`Deleted`), { timeoutMs: 500, everyMs: 20 })
      return true
    })
  await heard()
  return {
    async stop() {
      await heard()
      child.kill('SIGTERM')
      await ended
      const others = text.split('\n').filter((line) => line.trim() !== '' && !line.includes(MARK))
      return others.filter((line) => !except.some((name) => new RegExp(`^\\d+: ${name}[@:]`).test(line)))
    },
  }
}
