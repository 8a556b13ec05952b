/** A file that others replace while we run: a projected token, a CA that rotates, a client certificate. */
import { readFile, stat } from 'node:fs/promises'
import { ApiError } from './api-error.ts'

/** Read again only when it is another file or was written. A file that is away for a moment stays what it was. */
export class CredentialFile {
  readonly path: string
  #stamp = ''
  #content: Buffer | undefined

  constructor(path: string) {
    this.path = path
  }

  /** @throws ApiError `Credentials` when it was never readable. */
  async read(): Promise<Buffer> {
    try {
      const { ino, dev, size, mtimeMs, ctimeMs } = await stat(this.path)
      const stamp = `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`
      if (this.#content === undefined || stamp !== this.#stamp) {
        const content = await readFile(this.path)
        // A writer that truncates first is caught between two steps.
        if (content.length > 0 || this.#content === undefined) {
          this.#content = content
          this.#stamp = stamp
        }
      }
    } catch (cause) {
      if (this.#content === undefined) {
        const message = cause instanceof Error ? cause.message : String(cause)
        throw new ApiError(`credentials: ${this.path} cannot be read: ${message}`, { reason: 'Credentials', cause })
      }
    }
    return this.#content
  }

  /** The next `read` reads, whatever the file looks like. */
  expire(): void {
    this.#stamp = ''
  }
}
