/**
 * Who may come in. The proof of identity is looked at before anything is answered or read; then the agent says hello,
 * and what it says must fit the proof.
 */
import { status } from '@grpc/grpc-js'
import { PLAN_VERSION } from '../../api/wire/service.ts'
import type { AgentMessage, Hello } from '../../api/wire/generated/distribution_pb.ts'
import { messageOf } from '../../log/log.ts'
import { outOfOrder, type Call, type Ending } from './ending.ts'
import type { Gate } from './gate.ts'
import type { Authenticator, Credentials, Identity } from './ports.ts'

/** Far more than nodes have: each is looked at by every selector, and written into the node's file. */
const MOST_LABELS = 512

export type NodeIdentity = Identity & { readonly type: 'node' }

export type Verdict<Good> =
  | { readonly type: 'good'; readonly good: Good }
  /** `cause` is for the controller's log only. */
  | { readonly type: 'refused'; readonly ending: Ending; readonly cause: string }

const refused = (ending: Ending, cause: string = ending.details): Verdict<never> => ({
  type: 'refused',
  ending,
  cause,
})

/** What came with the call. Only a certificate that the CA signed is one. */
export function credentialsOf(call: Call): Credentials {
  const [header] = call.metadata.get('authorization')
  const token = typeof header === 'string' ? /^Bearer +(\S+)$/i.exec(header)?.[1] : undefined
  const certificate = call.getAuthContext().sslPeerCertificate?.raw
  return {
    ...(token === undefined ? {} : { token }),
    ...(certificate === undefined ? {} : { certificate }),
    peer: call.getPeer(),
  }
}

/** At most so many at a time are looked up as the gate lets in: each may cost a request to the API server. */
export async function identify(
  authenticator: Authenticator,
  credentials: Credentials,
  gate: Gate,
  signal: AbortSignal,
): Promise<Verdict<NodeIdentity>> {
  try {
    const identity = await gate.pass(signal, () => orAbort(authenticator.identify(credentials, signal), signal))
    if (identity.type === 'node') return { type: 'good', good: identity }
    const { reason, message } = identity
    const details = `no proof of identity that holds: ${reason}; the controller's log says more`
    return refused({ code: status.UNAUTHENTICATED, reason, details }, message)
  } catch (error) {
    const details = 'cannot find out now who calls; come again'
    return refused({ code: status.UNAVAILABLE, reason: 'IdentityUnknown', details }, `${details}: ${messageOf(error)}`)
  }
}

/** Whether what the agent says first fits who it is and what is spoken here. */
export function greet({ message }: AgentMessage, { node }: NodeIdentity): Verdict<Hello> {
  if (message.case !== 'hello') return refused(outOfOrder('the first message must be Hello'))
  const hello = message.value
  if (hello.node !== node) {
    const details = `the proof is for another node than Hello names; Hello.node must be the node that the agent runs on`
    const ending = { code: status.PERMISSION_DENIED, reason: 'OtherNode', details }
    return refused(
      ending,
      `an agent with the identity of node ${node} says it is ${JSON.stringify(hello.node.slice(0, 253))}`,
    )
  }
  if (!hello.planVersions.includes(PLAN_VERSION)) {
    const theirs =
      hello.planVersions
        .slice(0, 8)
        .map((each) => each.slice(0, 32))
        .join(', ') || 'none'
    const details = `this controller speaks plan version ${PLAN_VERSION}, the agent understands ${theirs}; upgrade the older of the two`
    return refused({ code: status.FAILED_PRECONDITION, reason: 'PlanVersion', details })
  }
  const labels = Object.keys(hello.labels).length
  if (labels > MOST_LABELS)
    return refused(
      outOfOrder(`Hello has ${labels} labels, and ${MOST_LABELS} is the most; take some out of the node file`),
    )
  return { type: 'good', good: hello }
}

/** An authenticator that does not heed the signal holds nobody up. */
function orAbort<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
