/** What a host may announce and what it is told: a prefix list and a route map per direction and family. */
import { bitsOf, formatPrefix, networkOf, parsePrefix } from '../../api/address/prefix.ts'
import { block, leaf } from './tree.ts'
import type { Block } from './tree.ts'
import type { Family } from '../../api/address/prefix.ts'
import type { HostSessionPlan, PolicyPlan, ResourceRef } from '../../api/plan/node-plan.ts'

export interface Policy {
  /** Prefix lists and route maps: lines of the outermost level. */
  readonly definitions: readonly Block[]
  /** Names of the route maps by family, where there is one. */
  readonly fromHost: (family: Family) => string | undefined
  readonly toHost: (family: Family) => string | undefined
}

/**
 * Route maps rather than bare prefix lists: bgpd applies a changed list behind a route map to routes it already has,
 * a changed `neighbor X prefix-list` only to new ones.
 *
 * @param place the VRF's name, `default` for passthrough: part of the names.
 * @param refuse prefixes that the host may announce no part of, whatever its policy says: where VTEPs live.
 */
export function policyOf(
  session: HostSessionPlan,
  place: string,
  families: readonly Family[],
  refuse: readonly string[],
): Policy {
  const made = families.flatMap((family) => [
    { way: 'from', family, entries: fromHostEntries(session, family, refuse) },
    { way: 'to', family, entries: listed(session.toHost, family) },
  ])
  const needed = made.filter(({ entries }) => entries.length > 0)
  const nameOf = (way: string, family: Family) => `nodeleaf-${place}-${way}-ipv${family}`
  const lookup = (way: string) => (family: Family) =>
    needed.some((map) => map.way === way && map.family === family) ? nameOf(way, family) : undefined
  return {
    definitions: needed.flatMap(({ way, family, entries }) =>
      definition(nameOf(way, family), family, entries, session.for),
    ),
    fromHost: lookup('from'),
    toHost: lookup('to'),
  }
}

function definition(name: string, family: Family, entries: readonly string[], ref: ResourceRef): Block[] {
  const list = entries.map((entry, at) => leaf(`${word[family]} prefix-list ${name} seq ${5 * (at + 1)} ${entry}`, ref))
  const body = [leaf(`match ${word[family]} address prefix-list ${name}`, ref)]
  return [...list, block(`route-map ${name} permit 10`, body, ref)]
}

function fromHostEntries(session: HostSessionPlan, family: Family, refuse: readonly string[]): string[] {
  const refused = refuse.flatMap((text) => {
    const prefix = parsePrefix(text)
    if (prefix?.family !== family) return []
    // FRR wants a range to be one: `10.0.0.1/32 le 32` is refused.
    const range = prefix.length === bitsOf(family) ? '' : ` le ${bitsOf(family)}`
    return [`deny ${formatPrefix(networkOf(prefix))}${range}`]
  })
  const defaultRoute = session.allowDefault ? [] : [`deny ${everything[family]}`]
  const before = [...defaultRoute, ...refused]
  const wanted = listed(session.fromHost, family)
  if (session.fromHost.prefixes.length > 0) return [...before, ...wanted]
  return before.length === 0 ? [] : [...before, 'permit any']
}

/** After a list that is not empty everything else is denied, also the family that the list does not name. */
function listed(policy: PolicyPlan, family: Family): string[] {
  if (policy.prefixes.length === 0) return []
  const entries = policy.prefixes.flatMap(({ cidr, ge, le, action }) => {
    const prefix = parsePrefix(cidr)
    if (prefix?.family !== family) return []
    const range = `${ge === undefined ? '' : ` ge ${ge}`}${le === undefined ? '' : ` le ${le}`}`
    return [`${action.toLowerCase()} ${formatPrefix(networkOf(prefix))}${range}`]
  })
  // An empty prefix list would let everything pass (lib/plist.c, prefix_list_apply_ext).
  return entries.length === 0 ? ['deny any'] : entries
}

const word = { 4: 'ip', 6: 'ipv6' } as const
const everything = { 4: '0.0.0.0/0', 6: '::/0' } as const
