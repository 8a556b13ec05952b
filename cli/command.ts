/** What a command is, and where it writes. */
export interface Output {
  /** Standard output; a line break is added. */
  readonly print: (text: string) => void
  /** Standard error; a line break is added. */
  readonly complain: (text: string) => void
}

export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  readonly help: string
  /** Returns the exit code. @throws CliError */
  readonly run: (args: readonly string[], output: Output) => number | Promise<number>
}

export const exitCodes = `Exit codes:
  0  all is well
  1  something is wrong in the resources, or something is refused
  2  the command was not understood, or a file could not be read`
