/** For tests: a controller in this process, as its command line would start it. */
import { createLog } from '../log/log.ts'
import { runController } from './controller.ts'
import { parseCommand, type ControllerOptions, type Surroundings } from './options.ts'

export interface InProcess {
  /** Where agents connect. */
  readonly port: number
  stop(): Promise<void>
}

export function optionsOf(args: readonly string[], around: Partial<Surroundings> = {}): ControllerOptions {
  const command = parseCommand(args, { env: {}, hostName: 'test', inCluster: false, ...around })
  if (command.type !== 'run') throw new Error(`${args.join(' ')} does not run a controller`)
  return command.options
}

/** Resolves when it listens. Lines of its log, all levels, go to `log`. @throws when it ends before */
export async function startInProcess(options: ControllerOptions, log: string[]): Promise<InProcess> {
  const stop = new AbortController()
  const lines = createLog({ level: 'debug', format: 'kv', write: (line) => log.push(line), now: () => new Date() })
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const running = runController(options, lines, stop.signal, ({ agents }) => resolve(agents))
  running.catch(reject)
  return {
    port: await promise,
    async stop() {
      stop.abort()
      await running
    },
  }
}
