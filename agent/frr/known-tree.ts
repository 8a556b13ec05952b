/**
 * What FRR's configuration is known to be without reading it. It is known after everything that a comparison asked for was
 * entered and taken, and forgotten as soon as anything speaks against it: then it has to be read.
 */
import type { Block } from './tree.ts'

export class KnownTree {
  #tree: Block | undefined
  #age = 0

  /** Undefined: read it. */
  get tree(): Block | undefined {
    return this.#tree
  }

  /** Another number after each `forget`: what was begun before it must not be taken for the present. */
  get age(): number {
    return this.#age
  }

  /** The configuration is this; ignored when something was forgotten since `age`. */
  know(tree: Block, age: number): void {
    if (age === this.#age) this.#tree = tree
  }

  forget(): void {
    this.#tree = undefined
    this.#age++
  }
}
