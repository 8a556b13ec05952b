/** Networks as claims: two of them collide when they share an address. */
import { bitsOf, formatPrefix, networkOf, parsePrefix, type Prefix } from '../address/prefix.ts'
import type { HostSession } from '../kinds/session.ts'
import type { Claim } from './rule.ts'

/**
 * Takes a network within a scope (a VRF, a node). Two networks overlap exactly when one contains the other, so a claim
 * takes itself and marks every network around it, and needs that nothing around it is taken and nothing in it marked.
 */
export function network(scope: string, field: string, text: string): readonly Claim[] {
  const prefix = parsePrefix(text)
  if (!prefix) return []
  const around = Array.from({ length: prefix.length + 1 }, (_, length) => keyOf({ ...prefix, length }))
  const itself = keyOf(prefix)
  return [
    {
      field,
      value: text,
      takes: [`${scope} taken ${itself}`, ...around.map((key) => `${scope} within ${key}`)],
      needsFree: [...around.map((key) => `${scope} taken ${key}`), `${scope} within ${itself}`],
    },
  ]
}

/** The networks of a host session. */
export function sessionNetworks(scope: string, session: HostSession | undefined): readonly Claim[] {
  const { ipv4, ipv6 } = session?.localCIDR ?? {}
  return [
    ...(ipv4 === undefined ? [] : network(scope, 'spec.hostSession.localCIDR.ipv4', ipv4)),
    ...(ipv6 === undefined ? [] : network(scope, 'spec.hostSession.localCIDR.ipv6', ipv6)),
  ]
}

function keyOf(prefix: Prefix): string {
  const hostBits = BigInt(bitsOf(prefix.family) - prefix.length)
  return `${prefix.family}:${prefix.value >> hostBits}/${prefix.length}`
}

/** `10.110.0.0/24` for the gateway `10.110.0.1/24`. */
export function networkText(text: string): string {
  const prefix = parsePrefix(text)
  return prefix ? formatPrefix(networkOf(prefix)) : text
}
