/** A session between router and host, of an L3VNI or an L3Passthrough: only the host's own addresses differ by node. */
import { parsePrefix } from '../address/prefix.ts'
import type { L3Passthrough } from '../kinds/l3passthrough.ts'
import type { L3VNI } from '../kinds/l3vni.ts'
import type { HostSession } from '../kinds/session.ts'
import type { Violation } from '../rules/violation.ts'
import type { HostSessionPlan, ResourceRef } from './node-plan.ts'
import { sessionHostAddress } from './numbers.ts'
import { poolExhausted, waits } from './refusals.ts'
import { hostSessionPlan, passwordOf, type Secrets } from './session.ts'

/** A session before a node is known: with the host's addresses it is a plan, or it waits for its password. */
export type SessionDraft =
  { readonly planWith: (hostAddresses: readonly string[]) => HostSessionPlan } | { readonly waitsOn: Violation }

type SessionOwner = L3VNI | L3Passthrough

export function sessionDraft(owner: SessionOwner, session: HostSession, asn: number, secrets: Secrets): SessionDraft {
  const object = sessionOwnerRef(owner)
  const found = passwordOf(session, secrets)
  if (!('password' in found)) {
    const field = 'spec.hostSession.passwordSecret'
    return { waitsOn: part(owner, waits(object, field, found, 'the host session')) }
  }
  const policies = owner.kind === 'L3VNI' ? { fromHost: owner.spec.exportPolicy, toHost: owner.spec.importPolicy } : {}
  const context = { asn, password: found.password, ...policies }
  return { planWith: (addresses) => hostSessionPlan(object, session, { ...context, hostAddresses: addresses }) }
}

/** With prefix length, IPv4 first; undefined when a network has none for the node. */
export function hostAddresses({ localCIDR }: HostSession, index: number): readonly string[] | undefined {
  const addresses: string[] = []
  for (const cidr of [localCIDR.ipv4, localCIDR.ipv6]) {
    if (cidr === undefined) continue
    const address = sessionHostAddress(cidr, index)
    if (address === undefined) return undefined
    addresses.push(`${address}/${parsePrefix(cidr)?.length}`)
  }
  return addresses
}

export function sessionExhausted(
  owner: SessionOwner,
  { localCIDR }: HostSession,
  node: { readonly name: string; readonly index: number },
): Violation {
  const cidrs = [localCIDR.ipv4, localCIDR.ipv6].filter((each) => each !== undefined).join(', ')
  return part(owner, poolExhausted(sessionOwnerRef(owner), 'spec.hostSession.localCIDR', cidrs, node))
}

/** Without its session an L3VNI still is a VPN; an L3Passthrough is nothing. */
function part(owner: SessionOwner, violation: Violation): Violation {
  if (owner.kind === 'L3VNI') return { ...violation, partial: true }
  const { partial: _, ...whole } = violation
  return whole
}

const sessionOwnerRef = (owner: SessionOwner): ResourceRef => ({ kind: owner.kind, name: owner.metadata.name })
