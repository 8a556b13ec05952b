/**
 * How nodeleaf knows its own in the kernel.
 *
 * Links: the alias `nodeleaf:<Kind>/<name>` names the resource a link serves. The alias cannot be set when a link is
 * made, its group can: a link with the group and no alias was left by a process that died in between, and is ours too.
 * The second group marks the host ends that nodeleaf has plugged into a bridge: an end that is left free is its user's
 * to plug, and is then not pulled out again.
 *
 * Addresses and routes: the protocol number says who made them (IFA_PROTO, kernel >= 5.18; rtm_protocol).
 */
import type { ResourceRef } from '../../api/plan/node-plan.ts'

export const GROUP_OWNED = 0x6e6c
export const GROUP_PLUGGED = 0x6e6d

/** Unassigned in the kernel, iproute2 and FRR, which takes it for a kernel route. */
export const PROTOCOL = 110

const KINDS: readonly ResourceRef['kind'][] = ['Underlay', 'L3VNI', 'L2VNI', 'L3Passthrough']

/** What serves no resource any more, or never got as far as to say which. */
export const NOBODY: ResourceRef = { kind: 'Underlay', name: '' }

export function aliasOf(ref: ResourceRef): string {
  return `nodeleaf:${ref.kind}/${ref.name}`
}

/** Undefined for a foreign link. */
export function ownerOf(alias: string | undefined, group: number): ResourceRef | undefined {
  const match = /^nodeleaf:([A-Za-z0-9]+)\/(.*)$/.exec(alias ?? '')
  const kind = KINDS.find((known) => known === match?.[1])
  if (kind !== undefined) return { kind, name: match?.[2] ?? '' }
  const halfMade = (alias === undefined || alias === '') && (group === GROUP_OWNED || group === GROUP_PLUGGED)
  return halfMade ? NOBODY : undefined
}

export function sameOwner(a: ResourceRef, b: ResourceRef): boolean {
  return a.kind === b.kind && a.name === b.name
}
