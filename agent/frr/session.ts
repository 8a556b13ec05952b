/** Lines that fabric neighbours and host sessions have in common. */
import { block, leaf } from './tree.ts'
import type { Block } from './tree.ts'
import type { BfdPlan, ResourceRef, SessionOptions } from '../../api/plan/node-plan.ts'

/**
 * The lines of one neighbour in its BGP instance, after the one that makes it. `name` is what FRR knows it by: address,
 * interface or peer group. The password comes first: the session must not start without it.
 */
export function sessionLines(name: string, session: SessionOptions, ref: ResourceRef): Block[] {
  const neighbor = `neighbor ${name}`
  const profile = session.bfd && profileNameOf(session.bfd)
  return [
    ...(session.password === undefined ? [] : [`${neighbor} password ${session.password}`]),
    ...(session.bfd ? [`${neighbor} bfd`] : []),
    ...(profile === undefined ? [] : [`${neighbor} bfd profile ${profile}`]),
    ...timerLines(neighbor, session),
  ].map((line) => leaf(line, ref))
}

/** FRR hides timers that equal its defaults (profile traditional: 60, 180, 120 seconds). */
function timerLines(neighbor: string, { timers, connectSeconds }: SessionOptions): string[] {
  const usual = timers === undefined || (timers.keepaliveSeconds === 60 && timers.holdSeconds === 180)
  return [
    ...(usual ? [] : [`${neighbor} timers ${timers.keepaliveSeconds} ${timers.holdSeconds}`]),
    ...(connectSeconds === 120 ? [] : [`${neighbor} timers connect ${connectSeconds}`]),
  ]
}

const bfdDefaults = { receiveIntervalMs: 300, transmitIntervalMs: 300, detectMultiplier: 3 }

/**
 * A BFD profile is named after what is in it, so sessions that want the same share one, and a change of one session's
 * parameters never touches another's. FRR's defaults need no profile.
 */
export function profileNameOf(bfd: BfdPlan): string | undefined {
  if (profileLines(bfd).length === 0) return undefined
  const parts = [`rx${bfd.receiveIntervalMs}`, `tx${bfd.transmitIntervalMs}`, `x${bfd.detectMultiplier}`]
  if (bfd.passive) parts.push('passive')
  if (bfd.minimumTTL !== undefined) parts.push(`ttl${bfd.minimumTTL}`)
  return `nodeleaf-${parts.join('-')}`
}

/** The profiles that these sessions need, each once, sorted by name. */
export function bfdProfiles(sessions: readonly (SessionOptions & { readonly for: ResourceRef })[]): Block[] {
  const profiles = new Map<string, Block>()
  for (const { bfd, for: ref } of sessions) {
    const name = bfd && profileNameOf(bfd)
    if (bfd === undefined || name === undefined || profiles.has(name)) continue
    const body = profileLines(bfd).map((line) => leaf(line, ref))
    profiles.set(name, block(`profile ${name}`, body, ref))
  }
  return [...profiles].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, profile]) => profile)
}

/** FRR's order and FRR's defaults (doc/user/bfd.rst). */
function profileLines(bfd: BfdPlan): string[] {
  return [
    ...(bfd.detectMultiplier === bfdDefaults.detectMultiplier ? [] : [`detect-multiplier ${bfd.detectMultiplier}`]),
    ...(bfd.transmitIntervalMs === bfdDefaults.transmitIntervalMs
      ? []
      : [`transmit-interval ${bfd.transmitIntervalMs}`]),
    ...(bfd.receiveIntervalMs === bfdDefaults.receiveIntervalMs ? [] : [`receive-interval ${bfd.receiveIntervalMs}`]),
    ...(bfd.passive ? ['passive-mode'] : []),
    // 254 is what single-hop sessions ask for anyway (RFC 5881); FRR hides it.
    ...(bfd.minimumTTL === undefined || bfd.minimumTTL === 254 ? [] : [`minimum-ttl ${bfd.minimumTTL}`]),
  ]
}
