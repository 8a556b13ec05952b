/** From an HTTP request to its answer: fault, who asks, may they, what is asked, carry it out. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { refused } from '../access/rbac.ts'
import type { User } from '../access/user.ts'
import type { Fault, Faults } from '../faults/faults.ts'
import type { Watches } from '../faults/watches.ts'
import type { Fields } from '../object.ts'
import { ApiProblem, problems } from '../problem.ts'
import type { Context } from '../verbs/context.ts'
import { answer, type Answer } from './answer.ts'
import type { Audit, AuditEntry } from './audit.ts'
import { requestInfo, type RequestInfo } from './route.ts'

export interface HandlerOptions {
  readonly context: Context
  readonly faults: Faults
  readonly watches: Watches
  readonly audit: Audit
  /** Users by bearer token, beside ServiceAccount tokens. */
  readonly users: ReadonlyMap<string, User>
  readonly rbac: boolean
  readonly bookmarkMs: number
  /** Resets the connection to the client. */
  readonly reset: (socket: Socket) => void
}

export async function handle(
  options: HandlerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const info = requestInfo(request.method ?? 'GET', request.url ?? '/')
  const user = authenticate(options, request.headers.authorization)
  const amend = options.audit.open(entryOf(options, info, user))
  const fault = options.faults.take(info, user?.username ?? '')
  try {
    if (fault?.kind === 'slow') await sleep(fault.milliseconds)
    else if (fault && !survives(fault, () => options.reset(request.socket))) return
    if (!user) throw problems.unauthorized()
    const problem = options.rbac ? refused(options.context.store, user, info) : undefined
    if (problem) throw problem
    const result = await answer(options, info, user, request, response, amend)
    if (fault?.kind === 'lost-answer') options.reset(request.socket)
    else if (result) send(response, result, amend)
  } catch (error) {
    const problem =
      error instanceof ApiProblem
        ? error
        : problems.internal(error instanceof Error ? String(error.stack) : String(error))
    send(response, { code: problem.code, body: problem.status, warnings: [], ...retryAfter(problem) }, amend)
  }
}

/** Whether the request goes on after its fault. */
function survives(fault: Fault, reset: () => void): boolean {
  if (fault.kind === 'reset') {
    reset()
    return false
  }
  if (fault.kind === 'stall') return false
  if (fault.kind === 'status') {
    const { code, retryAfterSeconds = 1, message = 'a fault on demand' } = fault
    if (code === 429) throw problems.tooManyRequests(retryAfterSeconds)
    const details = fault.retryAfterSeconds === undefined ? undefined : { retryAfterSeconds }
    throw new ApiProblem(code, reasons[code] ?? 'InternalError', message, details)
  }
  return true
}

const reasons: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

function authenticate({ users, context }: HandlerOptions, header: string | undefined): User | undefined {
  const token = /^bearer (.+)$/i.exec(header ?? '')?.[1]
  if (token === undefined) return undefined
  const known = users.get(token)
  if (known) return known
  const review = context.tokens.review(token)
  return 'user' in review ? review.user : undefined
}

function entryOf({ context }: HandlerOptions, info: RequestInfo, user: User | undefined): AuditEntry {
  return {
    at: context.now(),
    verb: info.verb,
    resource: info.group === '' ? info.plural : `${info.plural}.${info.group}`,
    subresource: info.subresource ?? '',
    namespace: info.namespace ?? '',
    name: info.name ?? '',
    user: user?.username ?? '',
    path: info.path,
    received: 0,
    sent: 0,
  }
}

const retryAfter = ({ details }: ApiProblem): { retryAfter?: number } =>
  details?.retryAfterSeconds === undefined ? {} : { retryAfter: details.retryAfterSeconds }

function send(
  response: ServerResponse,
  { code, body, warnings, retryAfter: seconds }: Answer & { readonly retryAfter?: number },
  amend: (change: Partial<AuditEntry>) => void,
): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body satisfies Fields)
  amend({ status: code, sent: text.length })
  if (response.destroyed || response.headersSent) return
  // Set one by one, so that several warnings are several headers.
  if (warnings.length > 0)
    response.setHeader(
      'warning',
      warnings.map((each) => `299 - ${JSON.stringify(each.replaceAll('\n', ' '))}`),
    )
  response.writeHead(code, {
    'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(seconds === undefined ? {} : { 'retry-after': String(seconds) }),
  })
  response.end(text)
}
