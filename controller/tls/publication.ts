/** Publishing to several places, each on its own: what fails is logged when it begins to fail and tried again next time. */
import { messageOf, type Log } from '../../log/log.ts'
import type { TrustPublisher } from './trust.ts'

export class Publication {
  readonly #publishers: readonly TrustPublisher[]
  readonly #log: Log
  readonly #failing = new Map<TrustPublisher, string>()

  constructor(publishers: readonly TrustPublisher[], log: Log) {
    this.#publishers = publishers
    this.#log = log
  }

  /** Whether everyone was told. */
  async publish(trusted: string, signal: AbortSignal): Promise<boolean> {
    const told = await Promise.all(this.#publishers.map((each) => this.#tell(each, trusted, signal)))
    return told.every(Boolean)
  }

  async #tell(publisher: TrustPublisher, trusted: string, signal: AbortSignal): Promise<boolean> {
    try {
      await publisher(trusted, signal)
      if (this.#failing.delete(publisher)) this.#log.info('the CA certificate is published again')
      return true
    } catch (error) {
      const message = messageOf(error)
      if (!signal.aborted && this.#failing.get(publisher) !== message)
        this.#log.warn('cannot publish the CA certificate; trying again', { error: message })
      this.#failing.set(publisher, message)
      return false
    }
  }
}
