/** The addresses that are recorded for a node are its own: two nodes with one VTEP would take each other's traffic. */
import { canonicalAddress } from '../address/prefix.ts'
import { only, type Rule } from './rule.ts'

export const uniqueAddress: Rule = {
  reason: 'AddressConflict',
  claims: (resource) =>
    resource.kind === 'RouterNode'
      ? (resource.spec.addresses?.vteps ?? []).map((vtep, i) =>
          only(canonicalAddress(vtep), `spec.addresses.vteps[${i}]`, vtep),
        )
      : [],
  message: (mine, other) => `VTEP address ${mine.value} belongs to ${other.name}`,
  remedy: 'use an address that is free',
}
