/**
 * One process for a thing. A lock is a name in the abstract socket space: the kernel lets go of it when its process
 * ends, however it ends, so nothing stale can remain.
 */
import { createServer, type Server } from 'node:net'

export class LockError extends Error {
  readonly code = 'LOCKED'
}

/** Takes all names or none; they are held until disposal or the process's end. `what` is who holds such names. @throws LockError */
export async function lock(names: readonly string[], what: string): Promise<AsyncDisposable> {
  const held: Server[] = []
  const release = async (): Promise<void> => {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))))
  }
  for (const name of names) {
    try {
      held.push(await take(name))
    } catch (error) {
      await release()
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      throw new LockError(`another ${what} is running here (it holds ${name}): stop it first`)
    }
  }
  return { [Symbol.asyncDispose]: release }
}

function take(name: string): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>()
  const server = createServer((socket) => socket.destroy())
  server.once('error', reject)
  server.listen(`\0${name}`, () => resolve(server.unref()))
  return promise
}
