/** What was made of an object, for as long as the object lives and nothing else that it was made of changes. */
export class Memo<T> {
  readonly #made = new WeakMap<object, { readonly inputs: readonly unknown[]; readonly value: T }>()

  /** `inputs`: everything but `of` that `make` looks at; the same means the same objects. */
  take(of: object, inputs: readonly unknown[], make: () => T): T {
    const known = this.#made.get(of)
    if (known?.inputs.length === inputs.length && known.inputs.every((input, at) => input === inputs[at])) {
      return known.value
    }
    const value = make()
    this.#made.set(of, { inputs, value })
    return value
  }
}
