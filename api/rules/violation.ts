/** A rule that does not hold: what is refused, why, and what to do. */
import type { AnyResource, ObjectRef } from '../kinds/kinds.ts'

export type Reason =
  | 'UnderlayConflict'
  | 'VNIConflict'
  | 'VRFConflict'
  | 'SubnetOverlap'
  | 'PassthroughConflict'
  | 'NameConflict'
  | 'BridgeConflict'
  | 'RouteDistinguisherConflict'
  | 'IndexConflict'
  | 'AddressConflict'
  | 'PoolExhausted'
  | 'PoolInUse'
  | 'NoUnderlay'
  | 'NoVTEP'
  | 'SecretMissing'
  | 'SecretInvalid'

export interface Violation {
  readonly object: ObjectRef
  readonly reason: Reason
  /** Where in the object: `spec.vni`, `spec.neighbors[0].passwordSecret`. */
  readonly field: string
  readonly value?: string | number
  /** One sentence that names the other object too. */
  readonly message: string
  readonly remedy: string
  readonly other?: ObjectRef
  /** The node that it is about, where it is about one. What is `pending` for want of another object is about each alike. */
  readonly node?: string
  /** The object waits for another, rather than being wrong. */
  readonly pending?: true
  /** Only a part of the object is left out of the plan: a neighbour, an address. */
  readonly partial?: true
}

export const refOf = (resource: AnyResource): ObjectRef => ({ kind: resource.kind, name: resource.metadata.name })

export const nameOf = (ref: ObjectRef): string => `${ref.kind}/${ref.name}`
