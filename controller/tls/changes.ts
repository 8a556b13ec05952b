/** Who wants to hear that certificates have changed. */
export class Changes {
  readonly #listeners = new Set<() => void>()

  onChange(changed: () => void, signal: AbortSignal): void {
    if (signal.aborted) return
    // A function of its own, so that one who asks twice is told twice and each signal ends its own.
    const listener = (): void => changed()
    this.#listeners.add(listener)
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true })
  }

  announce(): void {
    for (const listener of this.#listeners) listener()
  }
}
