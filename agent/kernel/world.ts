/** What effects work on. */
import { KernelError } from './kernel-error.ts'
import type { Namespaces } from './namespaces.ts'
import type { Link } from './netlink/link.ts'
import type { NicMover } from './nic/move.ts'
import type { Namespace } from './objects.ts'
import type { Operation } from './operation.ts'
import { where } from './surviving.ts'
import type { OwnMac } from './tables.ts'
import type { Send } from './talk.ts'

export interface World {
  readonly namespaces: Namespaces
  readonly nics: NicMover
  readonly send: Send
  /** The link as it is after all that was sent. */
  link(namespace: Namespace, name: string): Link | undefined
  /** That link's number, for less. */
  index(namespace: Namespace, name: string): number | undefined
  /** Told what the kernel makes no event of: VNIs of a VXLAN device's filter, MACs that a bridge takes for its own. */
  noteVnis(change: 'new' | 'del', vxlan: number, vnis: readonly number[]): void
  noteMacs(change: 'new' | 'del', bridge: number, macs: readonly OwnMac[]): void
  /** These of the device are to be read before they are believed again. */
  distrust(link: number): void
  /** Told what a person should know. */
  warn(message: string, operation: Operation): void
}

/** Throws KernelError `Waiting`. */
export function indexOf(world: World, namespace: Namespace, name: string): number {
  const index = world.index(namespace, name)
  if (index === undefined) throw new KernelError('Waiting', `there is no link ${name} in the ${where(namespace)} now`)
  return index
}
