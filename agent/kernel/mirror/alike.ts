import { same } from '../same.ts'

const REMEMBERED = 8

/** Of values of which many are alike, gives one for all that are; it remembers the last few. */
export class Alike<T> {
  readonly #last: T[] = []

  one(value: T): T {
    const known = this.#last.find((each) => same(each, value))
    if (known !== undefined) return known
    this.#last.unshift(value)
    this.#last.length = Math.min(this.#last.length, REMEMBERED)
    return value
  }
}
