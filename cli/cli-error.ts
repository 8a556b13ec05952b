/** The command line was not understood, or a file could not be read: exit code 2. */
export class CliError extends Error {
  readonly code: 'USAGE' | 'FILE'

  constructor(code: CliError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CliError'
    this.code = code
  }
}
