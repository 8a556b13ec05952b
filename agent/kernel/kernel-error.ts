import type { Reason } from './operation.ts'

/** Something of the kernel side cannot be done; `message` says what a person can do about it. */
export class KernelError extends Error {
  override readonly name = 'KernelError'
  readonly code: Reason
  readonly permanent: boolean

  constructor(code: Reason, message: string, options: { permanent?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.permanent = options.permanent ?? false
  }
}
