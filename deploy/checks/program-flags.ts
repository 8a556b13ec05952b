/** Whether a program takes the flags that a manifest or a unit gives it: its own parser is asked. */
import { parseOptions } from '../../agent/options.ts'
import { parseCommand } from '../../controller/options.ts'
import { messageOf } from '../../log/log.ts'

/** `$(NAME)` and `$NAME` are filled in when the program is started. */
const filled = (arg: string): string => arg.replaceAll(/\$\(?[A-Z_]+\)?/g, 'name')

/** What the agent's parser says against the arguments; undefined: nothing. */
export function agentObjection(args: readonly string[]): string | undefined {
  return objection(() => parseOptions(args.map(filled)))
}

/** The same of the controller's. */
export function controllerObjection(args: readonly string[]): string | undefined {
  const env = { POD_NAME: 'a', POD_NAMESPACE: 'b', POD_IP: 'fd00::1' }
  const inCluster = !args.some((arg) => arg.startsWith('--config-dir'))
  return objection(() => parseCommand(args.map(filled), { env, hostName: 'a', inCluster }))
}

function objection(parse: () => unknown): string | undefined {
  try {
    parse()
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}
