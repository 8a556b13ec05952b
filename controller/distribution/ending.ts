/** How the stream of an agent ends, and how that is told. */
import { LEADER_TRAILER } from '../../api/wire/service.ts'
import type { Call } from '../grpc/call.ts'
import { status, type StatusCode } from '../grpc/status.ts'
import type { Leadership } from './ports.ts'

export interface Ending {
  readonly code: StatusCode
  /** One CamelCase word, for the metric. */
  readonly reason: string
  /** For the agent's log. No secrets. */
  readonly details: string
  /** ADDRESS:PORT of the replica that leads. */
  readonly leader?: string
}

/**
 * The status goes out after what is still on its way. When the agent has not taken it after `boundMs`, `cut` is to take
 * the connection away.
 */
export function hangUp(call: Call, { code, details, leader }: Ending, cut: () => void, boundMs: number): void {
  if (call.ended) return
  const timer = setTimeout(cut, boundMs)
  call.onGone(() => clearTimeout(timer))
  call.end({ code, details, ...(leader === undefined ? {} : { trailers: { [LEADER_TRAILER]: leader } }) })
}

export function notLeading(leadership: Leadership): Ending | undefined {
  if (leadership.leads) return undefined
  const { leader } = leadership
  return {
    code: status.UNAVAILABLE,
    reason: 'NotLeading',
    details: leader === undefined ? 'this replica does not lead' : `this replica does not lead; ${leader} does`,
    ...(leader === undefined ? {} : { leader }),
  }
}

export const replaced: Ending = {
  code: status.ABORTED,
  reason: 'Replaced',
  details: 'another stream of this node took over',
}

export const identityExpired: Ending = {
  code: status.UNAUTHENTICATED,
  reason: 'IdentityExpired',
  details: 'the token or certificate has expired; come again with a fresh one',
}

export const unreadable: Ending = {
  code: status.INVALID_ARGUMENT,
  reason: 'Unreadable',
  details: 'a message cannot be read',
}

export const failed: Ending = {
  code: status.INTERNAL,
  reason: 'Internal',
  details: "the controller failed; the controller's log says more",
}

export const slow = (what: string): Ending => ({ code: status.DEADLINE_EXCEEDED, reason: 'Slow', details: what })

export const outOfOrder = (what: string): Ending => ({
  code: status.INVALID_ARGUMENT,
  reason: 'OutOfOrder',
  details: what,
})

export const stopping = (leadership: Leadership): Ending => ({
  code: status.UNAVAILABLE,
  reason: 'Stopping',
  details: 'this replica stops',
  ...(!leadership.leads && leadership.leader !== undefined ? { leader: leadership.leader } : {}),
})
