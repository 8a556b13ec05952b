/** What `observe` reads: nodeleaf's own objects, and what it must know of the others'. */
import type { KernelObject, Namespace } from './objects.ts'

export interface Observed {
  /** Own objects. A NIC that is on its way (recorded, and not yet settled in the router) is in `moving` instead. */
  readonly objects: readonly KernelObject[]
  /** Everyone else's links: their names are taken. NICs that are still the host's are among them. */
  readonly foreign: readonly ForeignLink[]
  /** Names of NICs with a record whose move was begun and not ended. */
  readonly moving: readonly string[]
}

export interface ForeignLink {
  readonly namespace: Namespace
  readonly name: string
  /** As the kernel says it; empty for a physical NIC. */
  readonly kind: string
}
