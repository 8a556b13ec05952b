/** The BGP session between router and host as the BGP instance has it: one neighbour per family. */
import { formatAddress, formatPrefix, parsePrefix, bitsOf } from '../../api/address/prefix.ts'
import { policyOf } from './policy.ts'
import { sessionLines } from './session.ts'
import { leaf } from './tree.ts'
import type { Block } from './tree.ts'
import type { Family, Prefix } from '../../api/address/prefix.ts'
import type { HostSessionPlan } from '../../api/plan/node-plan.ts'

export interface HostSessionConfig {
  /** Prefix lists and route maps: lines of the outermost level. */
  readonly definitions: readonly Block[]
  /** Lines of the BGP instance. */
  readonly neighbors: readonly Block[]
  /** Lines of `address-family ipvN unicast` in the BGP instance. */
  readonly family: (family: Family) => readonly Block[]
}

/**
 * @param place the VRF's name, or `default`.
 * @param asn that of the BGP instance; a session with another one shows that to the host.
 * @param refuse prefixes that the host may announce no part of.
 */
export function hostSession(
  session: HostSessionPlan,
  place: string,
  asn: number,
  refuse: readonly string[] = [],
): HostSessionConfig {
  const hosts = session.hostAddresses.flatMap((text) => parsePrefix(text) ?? [])
  const policy = policyOf(
    session,
    place,
    hosts.map((host) => host.family),
    refuse,
  )
  return {
    definitions: policy.definitions,
    neighbors: hosts.flatMap((host) => {
      const name = formatAddress(host)
      const made = leaf(`neighbor ${name} remote-as ${session.remoteAS}`, session.for)
      const localAS =
        session.asn === asn ? [] : [leaf(`neighbor ${name} local-as ${session.asn} no-prepend replace-as`, session.for)]
      return [made, ...sessionLines(name, session, session.for), ...localAS]
    }),
    family: (family) =>
      hosts
        .filter((host) => host.family === family)
        .flatMap((host) => [
          announced(host),
          ...familyLines(session, host, policy.fromHost(family), policy.toHost(family)),
        ])
        .map((line) => leaf(line, session.for)),
  }
}

/**
 * The host's own address. Its subnet is the same on every node, so only the host route leads others to the right one.
 */
function announced(host: Prefix): string {
  return `network ${formatPrefix({ ...host, length: bitsOf(host.family) })}`
}

export function isInternal({ remoteAS, asn }: HostSessionPlan): boolean {
  return remoteAS === 'internal' || remoteAS === asn
}

function familyLines(session: HostSessionPlan, host: Prefix, from?: string, to?: string): string[] {
  const neighbor = `neighbor ${formatAddress(host)}`
  const internal = isInternal(session)
  const { maxPrefixes } = session.fromHost
  return [
    `${neighbor} activate`,
    // Routes that came over iBGP (an iBGP fabric) go to an iBGP host only if it is a client, and every route needs a
    // next hop that the host can reach: the router itself.
    ...(internal ? [`${neighbor} route-reflector-client`, `${neighbor} next-hop-self force`] : []),
    // Hosts on different nodes may share one AS number; without this each would drop the others' routes as loops.
    ...(internal ? [] : [`${neighbor} as-override`]),
    ...(maxPrefixes === undefined ? [] : [`${neighbor} maximum-prefix ${maxPrefixes} restart 1`]),
    ...(session.toHost.maxPrefixes === undefined
      ? []
      : [`${neighbor} maximum-prefix-out ${session.toHost.maxPrefixes}`]),
    ...(from === undefined ? [] : [`${neighbor} route-map ${from} in`]),
    ...(to === undefined ? [] : [`${neighbor} route-map ${to} out`]),
  ]
}
