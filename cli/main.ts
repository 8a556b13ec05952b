/** The command line: picks the command, turns errors into exit codes. */
import { CliError } from './cli-error.ts'
import { exitCodes, type Command, type Output } from './command.ts'
import { plan } from './plan.ts'
import { status } from './status.ts'
import { validate } from './validate.ts'
import { version } from './version.ts'

const commands: readonly Command[] = [validate, plan, status, version]

const usage = `Usage: nodeleaf COMMAND [options]

${commands.map((each) => `  ${each.name.padEnd(10)} ${each.summary}`).join('\n')}

nodeleaf COMMAND --help tells more.

${exitCodes}`

/** Runs the command that `args` name. @returns the exit code */
export async function main(args: readonly string[], output: Output): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    output.print(usage)
    return name === undefined ? 2 : 0
  }
  const command = commands.find((each) => each.name === (name === '--version' ? 'version' : name))
  if (!command) {
    output.complain(`nodeleaf: there is no command ${name}; nodeleaf --help lists them`)
    return 2
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    output.print(command.help)
    return 0
  }
  try {
    return await command.run(rest, output)
  } catch (error) {
    if (!(error instanceof CliError) && !isUsage(error)) throw error
    output.complain(`nodeleaf ${command.name}: ${error.message}`)
    return 2
  }
}

/** `parseArgs` throws these for unknown flags and missing values. */
function isUsage(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
}

if (import.meta.main) {
  process.stdout.on('error', () => process.exit(0))
  process.exitCode = await main(process.argv.slice(2), {
    print: (text) => process.stdout.write(`${text}\n`),
    complain: (text) => process.stderr.write(`${text}\n`),
  })
}
