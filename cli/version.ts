/** `nodeleaf version`. */
import manifest from '../package.json' with { type: 'json' }
import type { Command } from './command.ts'

export const version: Command = {
  name: 'version',
  summary: 'print the version',
  help: 'Usage: nodeleaf version',
  run: (_, output) => {
    output.print(manifest.version)
    return 0
  },
}
