/** All kinds, in the order in which a reader meets them. */
import type { Kind, KindName } from './kind.ts'
import { l2vni, type L2VNI } from './l2vni.ts'
import { l3passthrough, type L3Passthrough } from './l3passthrough.ts'
import { l3vni, type L3VNI } from './l3vni.ts'
import { routerNode, type RouterNode } from './router-node.ts'
import { underlay, type Underlay } from './underlay.ts'

export const kinds: readonly Kind[] = [underlay, l3vni, l2vni, l3passthrough, routerNode]

/** An object whose spec was checked and has its defaults. */
export type AnyResource = Underlay | L3VNI | L2VNI | L3Passthrough | RouterNode

export const kindNamed = (name: string): Kind | undefined => kinds.find((kind) => kind.name === name)

/** `L3VNI/red`. */
export interface ObjectRef {
  readonly kind: KindName | 'Secret'
  readonly name: string
}
