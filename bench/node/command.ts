/** Runs a program to its end. */
import { spawn } from 'node:child_process'

export class CommandError extends Error {
  readonly code = 'COMMAND'
}

/** What it printed. @throws CommandError when it ends badly, or takes longer than the bound */
export function command(argv: readonly string[], input = '', boundMs = 1_800_000): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const [file = '', ...args] = argv
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: boundMs })
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (part: string) => (output += part))
  child.stderr.setEncoding('utf8').on('data', (part: string) => (errors += part))
  // A program that ends before it has read everything says why by itself.
  child.stdin.on('error', () => {})
  child.once('error', reject)
  child.once('close', (code, signal) => {
    if (code === 0) return resolve(output)
    const said = `${errors}\n${output}`.trim().split('\n').slice(-12).join('\n')
    reject(new CommandError(`${argv.join(' ').slice(0, 200)}: status ${code ?? signal}: ${said}`))
  })
  child.stdin.end(input)
  return promise
}
