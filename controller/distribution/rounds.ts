/**
 * Work for many at once, in slices: a change that touches thousands of nodes must not keep the process from answering
 * its pings. What is asked for twice before its turn is done once.
 */
const SLICE_MS = 8

export class Rounds<Item> {
  readonly #due = new Set<Item>()
  readonly #work: (item: Item) => void
  #scheduled = false

  constructor(work: (item: Item) => void) {
    this.#work = work
  }

  add(item: Item): void {
    this.#due.add(item)
    this.#schedule()
  }

  delete(item: Item): void {
    this.#due.delete(item)
  }

  #schedule(): void {
    if (this.#scheduled || this.#due.size === 0) return
    this.#scheduled = true
    setImmediate(() => this.#run())
  }

  #run(): void {
    const end = performance.now() + SLICE_MS
    for (const item of this.#due) {
      this.#due.delete(item)
      this.#work(item)
      if (performance.now() > end) break
    }
    this.#scheduled = false
    this.#schedule()
  }
}
