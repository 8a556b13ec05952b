export type FrrErrorCode =
  /** No daemon listens on a socket. */
  | 'unreachable'
  /** The daemon runs and is behind: it takes no connection, or owes answers for long. It may hang. */
  | 'busy'
  /** The daemon went away with an answer outstanding. */
  | 'disconnected'
  /** FRR answered something that nodeleaf does not understand. */
  | 'unexpected'
  /** A line that must not be sent. */
  | 'bad-line'
  /** FRR's programs are not installed. */
  | 'not-installed'
  /** A daemon did not start. */
  | 'not-started'
  /** No daemon of this release takes a line that nodeleaf needs. */
  | 'unsupported'

/** What went wrong with FRR; the message holds FRR's own text, never a password. */
export class FrrError extends Error {
  override readonly name = 'FrrError'
  readonly code: FrrErrorCode

  constructor(code: FrrErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
