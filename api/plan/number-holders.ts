/** Which node has which number, of the RouterNodes that stand: two nodes with the numbers of one would harm the fabric. */
import { canonicalAddress } from '../address/prefix.ts'
import type { AnyResource, ObjectRef } from '../kinds/kinds.ts'
import type { Violation } from '../rules/violation.ts'
import type { NodeFacts } from './node-facts.ts'

export interface NumberHolders {
  readonly byIndex: ReadonlyMap<number, string>
  /** Recorded VTEP addresses. */
  readonly byVtep: ReadonlyMap<string, string>
}

const known = new WeakMap<readonly AnyResource[], NumberHolders>()

/** Worked out once for a list of objects. */
export function numberHolders(accepted: readonly AnyResource[]): NumberHolders {
  const before = known.get(accepted)
  if (before) return before
  const byIndex = new Map<number, string>()
  const byVtep = new Map<string, string>()
  for (const { kind, metadata, spec } of accepted) {
    if (kind !== 'RouterNode') continue
    byIndex.set(spec.index, metadata.name)
    for (const vtep of spec.addresses?.vteps ?? []) byVtep.set(canonicalAddress(vtep), metadata.name)
  }
  const holders = { byIndex, byVtep }
  known.set(accepted, holders)
  return holders
}

/** The node that is not known by the number gets no router. */
export function numberTaken(
  underlay: ObjectRef,
  node: NodeFacts,
  vteps: readonly string[],
  holders: NumberHolders,
): Violation | undefined {
  const taken = (reason: 'IndexConflict' | 'AddressConflict', number: string, holder: string): Violation => ({
    object: underlay,
    reason,
    field: 'spec.nodeSelector',
    message: `the ${number} of node ${node.name} belongs to RouterNode/${holder}`,
    remedy:
      reason === 'IndexConflict' ? 'give the node an index that is free' : 'give the node an address that is free',
    other: { kind: 'RouterNode', name: holder },
    node: node.name,
  })
  const holder = holders.byIndex.get(node.index)
  if (holder !== undefined && holder !== node.name) return taken('IndexConflict', `index ${node.index}`, holder)
  for (const vtep of vteps) {
    const other = holders.byVtep.get(vtep)
    if (other !== undefined && other !== node.name) return taken('AddressConflict', `VTEP address ${vtep}`, other)
  }
  return undefined
}
