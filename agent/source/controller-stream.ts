/** One stream to the controller, from hello to its end. */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { status, type ServiceError, type StatusObject } from '@grpc/grpc-js'
import {
  AgentMessageSchema,
  type AcknowledgementSchema,
  type ControllerMessage,
  type DetailSchema,
  type HelloSchema,
  type PlanUpdate,
  type ReportSchema,
} from '../../api/wire/generated/distribution_pb.ts'
import { messageOf } from '../../log/log.ts'
import { LEADER_TRAILER } from '../../api/wire/service.ts'
import { targetOf, type Dialled, type Target } from './controller-dial.ts'

/** Of gRPC's message flags, which grpc-js takes in place of an encoding: the message goes as it is. */
const NO_COMPRESS = 2

/** Up from the agent. */
export interface Sender {
  /** False while the controller does not take in what was sent: what can wait, waits. */
  readonly ready: () => boolean
  readonly report: (report: MessageInitShape<typeof ReportSchema>) => void
  readonly detail: (detail: MessageInitShape<typeof DetailSchema>) => void
}

/** What the rest of the agent has to say on a stream, and hears of it. */
export interface Conversation {
  readonly hello: () => MessageInitShape<typeof HelloSchema>
  /** A new stream begins: what is half here from the one before is worth nothing. */
  readonly begun: () => void
  /** Undefined: more of the update is to come. */
  readonly update: (update: PlanUpdate) => MessageInitShape<typeof AcknowledgementSchema> | undefined
  readonly welcome: (sender: Sender) => void
  readonly detailRequested: () => void
  /** `ready` again. */
  readonly drained: () => void
  readonly ended: () => void
}

export interface StreamEnd {
  /** Of gRPC. */
  readonly code: number
  /** For people. */
  readonly why: string
  /** Who leads, when this one does not. */
  readonly leader?: Target
}

export interface StreamLimits {
  readonly connectMs: number
  readonly welcomeMs: number
}

/** Runs the stream until it ends, for whatever reason. `heard` is called for each message, with who welcomed. */
export function converse(
  dialled: Dialled,
  conversation: Conversation,
  heard: (welcome?: string) => void,
  limits: StreamLimits,
  signal: AbortSignal,
): Promise<StreamEnd> {
  const { call, connected } = dialled
  const { promise, resolve } = Promise.withResolvers<StreamEnd>()
  let full = false
  let welcomed = false
  let over = false
  const send = (message: MessageInitShape<typeof AgentMessageSchema>, flags = NO_COMPRESS): void => {
    if (!over) full = !call.write(create(AgentMessageSchema, message), flags)
  }
  const end = (ended: StreamEnd): void => {
    if (over) return
    over = true
    for (const timer of timers) clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    dialled.close()
    if (welcomed) conversation.ended()
    resolve(ended)
  }
  const late = (why: string): void => end({ code: status.DEADLINE_EXCEEDED, why })
  const stop = (): void => end({ code: status.CANCELLED, why: 'the agent stops' })
  const timers = [
    setTimeout(() => connected() || late(`no connection within ${limits.connectMs / 1000} s`), limits.connectMs),
    setTimeout(() => welcomed || late(`no welcome within ${limits.welcomeMs / 1000} s`), limits.welcomeMs),
  ]
  /** What goes wrong here must not end the agent. */
  const guarded = (work: () => void): void => {
    try {
      if (!over) work()
    } catch (error) {
      end({ code: status.INTERNAL, why: `the agent failed: ${messageOf(error)}` })
    }
  }
  const take = ({ message }: ControllerMessage): void => {
    heard(message.case === 'welcome' ? message.value.controller : undefined)
    switch (message.case) {
      case 'welcome':
        if (welcomed) return
        welcomed = true
        return conversation.welcome({
          ready: () => !full && !over,
          report: (value) => send({ message: { case: 'report', value } }),
          detail(value) {
            // Thousands of VNIs in like states: a tenth of the bytes, and the controller's socket keeps a buffer for what came.
            send({ message: { case: 'detail', value } }, 0)
            // grpc-js's server keeps a message until the next one comes: not one as large as this for hours.
            send({})
          },
        })
      case 'plan': {
        const answer = conversation.update(message.value)
        if (answer !== undefined) send({ message: { case: 'acknowledgement', value: answer } })
        return undefined
      }
      case 'detailRequest':
        return conversation.detailRequested()
      default:
        // A newer controller's: not for this agent.
        return undefined
    }
  }
  call.on('data', (message: ControllerMessage) => guarded(() => take(message)))
  call.on('drain', () => {
    full = false
    if (welcomed) guarded(conversation.drained)
  })
  call.on('error', (error: ServiceError) => end(endOf(error)))
  call.on('status', (ended: StatusObject) => end(endOf(ended)))
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  guarded(() => {
    conversation.begun()
    send({ message: { case: 'hello', value: conversation.hello() } })
  })
  return promise
}

function endOf({ code, details, metadata }: Pick<StatusObject, 'code' | 'details' | 'metadata'>): StreamEnd {
  const named = code === status.UNAVAILABLE ? metadata?.get(LEADER_TRAILER)[0] : undefined
  const leader = typeof named === 'string' ? targetOf(named) : undefined
  const why = code === status.OK ? 'the controller ended the stream' : `${status[code] ?? code}: ${shortened(details)}`
  return { code, why, ...(leader === undefined ? {} : { leader }) }
}

/** grpc-js speaks of its own resolver too, which was asked for nothing: an address is dialled. */
function shortened(details: string): string {
  return details.replace(
    /^No connection established\. Last error: (?:Error: )?(.*)\. Resolution note: .*$/s,
    'no connection: $1',
  )
}
