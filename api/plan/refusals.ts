/** What is left out of a node's plan, in the words of a violation. */
import type { ObjectRef } from '../kinds/kinds.ts'
import { nameOf, type Violation } from '../rules/violation.ts'
import { compare } from '../snapshot/snapshot.ts'
import type { ResourceRef } from './node-plan.ts'
import type { NoPassword } from './session.ts'

export function poolExhausted(
  object: ObjectRef,
  field: string,
  value: string,
  node: { readonly name: string; readonly index: number },
): Violation {
  return {
    object,
    reason: 'PoolExhausted',
    field,
    value,
    message: `has no address for node ${node.name} with index ${node.index}`,
    remedy: 'use a larger network, or give the node a smaller index',
    node: node.name,
  }
}

/*
 * What waits for another object is said without the node: it is the same on thousands of them, for thousands of objects,
 * so that they share it.
 */

/** A session waits for its password, the rest of the object goes on. */
export function waits(object: ObjectRef, field: string, why: NoPassword, what: string): Violation {
  return {
    object,
    reason: why.reason,
    field,
    message: `${why.message}; ${what} waits for it`,
    remedy: why.remedy,
    pending: true,
    partial: true,
  }
}

export function noUnderlay(object: ResourceRef): Violation {
  return {
    object,
    reason: 'NoUnderlay',
    field: 'spec.nodeSelector',
    message: `no Underlay stands on the node, which ${nameOf(object)} selects`,
    remedy: 'add an Underlay that selects the node',
    pending: true,
  }
}

export function noVTEP(object: ResourceRef, vni: number, underlay: ResourceRef): Violation {
  return {
    object,
    reason: 'NoVTEP',
    field: 'spec.vni',
    value: vni,
    message: `${nameOf(underlay)} has no VTEP address for the node`,
    remedy: `give ${nameOf(underlay)} a pool in spec.vtep.cidrs that is large enough`,
    other: underlay,
    pending: true,
  }
}

/** The order of `refused`. */
export function byObject(a: Violation, b: Violation): number {
  return compare(nameOf(a.object), nameOf(b.object)) || compare(a.field, b.field) || compare(a.message, b.message)
}
