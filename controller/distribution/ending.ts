/** How the stream of an agent ends, and how that is told. */
import { Metadata, status, type ServerDuplexStream } from '@grpc/grpc-js'
import { LEADER_TRAILER } from '../../api/wire/service.ts'
import type { AgentMessage } from '../../api/wire/generated/distribution_pb.ts'
import type { Leadership } from './ports.ts'

/** A stream, as the server has it: what goes down is encoded already. */
export type Call = ServerDuplexStream<AgentMessage, Buffer>

export interface Ending {
  readonly code: status
  /** One CamelCase word, for the metric. */
  readonly reason: string
  /** For the agent's log. No secrets. */
  readonly details: string
  /** ADDRESS:PORT of the replica that leads. */
  readonly leader?: string
}

/**
 * The status goes out after what is still on its way. When the agent has not taken it after `boundMs`, `cut` is to take
 * the connection away. (grpc-js says `cancelled` of every stream that has ended, however it did.)
 */
export function hangUp(call: Call, { code, details, leader }: Ending, cut: () => void, boundMs: number): void {
  if (call.cancelled || call.writableEnded) return
  const metadata = new Metadata()
  if (leader !== undefined) metadata.set(LEADER_TRAILER, leader)
  const timer = setTimeout(cut, boundMs)
  call.once('cancelled', () => clearTimeout(timer))
  // Nothing that still comes is of interest, and the end of the stream is seen only when it is read.
  call.resume()
  call.emit('error', { code, details, metadata })
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
