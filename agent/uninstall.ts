/** `nodeleaf-agent uninstall`: gives everything back, so that the host is as it was before the agent first ran. */
import { rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { FrrSupply } from './frr-supply.ts'
import { Kernel } from './kernel/kernel.ts'
import { lock, LockError, lockNames } from './lock.ts'
import type { Log } from '../log/log.ts'
import type { AgentOptions } from './options.ts'
import { removeKeptNumber } from './source/kept-number.ts'
import { removeLastGood } from './source/last-good.ts'
import { answers, socketPath } from './status/server.ts'

/** As in status/server.ts: an import would load more. */
const { request } = process.getBuiltinModule('node:http')

const STOP_MS = 30_000
const STOP_STEP_MS = 100

/** Whether everything could be given back; what could not is logged. @throws LockError */
export async function uninstall(options: AgentOptions, log: Log): Promise<boolean> {
  if (await answers(socketPath(options.runDir))) {
    log.info('asking the running agent to stop', { socket: socketPath(options.runDir) })
    await askToStop(socketPath(options.runDir))
  }
  await using resources = new AsyncDisposableStack()
  resources.use(await lockWhenFree(lockNames(options.stateDir, options.netns)))
  const kernel = resources.use(Kernel.open({ netns: options.netns, stateDir: options.stateDir }))
  await new FrrSupply({ ...options, netnsPath: kernel.netnsPath }, log).giveBack()
  const failures = await kernel.uninstall()
  for (const { message, reason } of failures) log.error('could not be given back', { reason, message })
  if (failures.length > 0) return false
  removeLastGood(options.stateDir)
  removeKeptNumber(options.stateDir)
  rmSync(socketPath(options.runDir), { force: true })
  const directories = [join(options.stateDir, 'nics'), options.stateDir, options.runDir]
  for (const directory of directories) removeWhenEmpty(directory, log)
  log.info('uninstalled: the host is as it was', { netns: options.netns })
  return true
}

function askToStop(socket: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  request({ socketPath: socket, path: '/stop', method: 'POST' }, (response) => response.resume().on('end', resolve))
    .on('error', reject)
    .end()
  return promise
}

/** The agent that was asked to stop finishes its pass first. */
async function lockWhenFree(names: readonly string[]): Promise<AsyncDisposable> {
  const end = performance.now() + STOP_MS
  for (;;) {
    try {
      return await lock(names)
    } catch (error) {
      if (!(error instanceof LockError) || performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, STOP_STEP_MS))
    }
  }
}

function removeWhenEmpty(directory: string, log: Log): void {
  try {
    rmdirSync(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTEMPTY') log.warn('left, because there is something else in it', { directory })
    else if (code !== 'ENOENT' && code !== 'EBUSY') log.warn('left', { directory, error })
  }
}
