/** What can go wrong between us and the API server, with words for the person who has to do something about it. */
import { resourceName, type Collection, type Target } from './object.ts'

/** As RBAC names them. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete'

/**
 * `reason` is Kubernetes' own StatusReason (NotFound, Conflict, Forbidden, Expired, ...) where the server answered, else
 * `Unreachable` (no connection, or it broke), `Timeout` (no answer in time), `BadAnswer` (not what the API promises) or
 * `Credentials` (ours could not be obtained).
 */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  readonly reason: string
  readonly retryAfterSeconds: number | undefined

  constructor(
    message: string,
    options: { status?: number; reason: string; retryAfterSeconds?: number | undefined; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = options.status ?? 0
    this.reason = options.reason
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404
}

export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409
}

/** Kubernetes' `Status`, as far as it is read; also what an ERROR event of a watch holds. */
export interface Status {
  readonly code?: number
  readonly reason?: string
  readonly message?: string
  readonly details?: { readonly retryAfterSeconds?: number }
}

export interface Answer {
  readonly status: number
  /** Of the header `Retry-After`. */
  readonly retryAfterSeconds?: number | undefined
  readonly body: Status
}

/** An answer that is no success, as an error that says what was tried and what may help. */
export function refusal(verb: Verb, at: Collection & Partial<Target>, answer: Answer): ApiError {
  const { status, body } = answer
  const reason = body.reason !== undefined && body.reason !== '' ? body.reason : (REASONS[status] ?? `Status${status}`)
  const said = words(verb, at, status, body.message)
  return new ApiError(`cannot ${verb} ${subject(at)}: ${explanation(verb, at, status, reason)}${said}`, {
    status,
    reason,
    retryAfterSeconds: answer.retryAfterSeconds ?? body.details?.retryAfterSeconds,
  })
}

/** No answer: the connection, the time, or the credentials failed. */
export function failure(verb: Verb, at: Collection & Partial<Target>, server: string, cause: unknown): ApiError {
  const reason = cause instanceof ApiError ? cause.reason : 'Unreachable'
  const message = cause instanceof Error ? cause.message : String(cause)
  return new ApiError(`cannot ${verb} ${subject(at)}: ${hint(message)} (API server ${server})`, { reason, cause })
}

/** `secrets bgp/passwords`, `underlays.nodeleaf.io`. */
function subject({ type, namespace, name, subresource }: Collection & Partial<Target>): string {
  const resource = subresource === undefined ? resourceName(type) : `${resourceName(type)}/${subresource}`
  if (name !== undefined) return `${resource} ${namespace === undefined ? '' : `${namespace}/`}${name}`
  return namespace === undefined ? resource : `${resource} in namespace ${namespace}`
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

function explanation(verb: Verb, at: Collection & Partial<Target>, status: number, reason: string): string {
  const { type, subresource } = at
  switch (status) {
    case 401:
      return 'the API server does not accept the credentials; check that the token or the client certificate is valid and not expired'
    case 403: {
      const resource = subresource === undefined ? type.plural : `${type.plural}/${subresource}`
      const group = type.group === '' ? 'the core API group' : `API group "${type.group}"`
      return `not permitted; grant the verb "${verb}" on resource "${resource}" of ${group} to this identity (RBAC)`
    }
    case 404:
      return at.name === undefined
        ? `the API server does not know this resource in version ${type.version}; is its CustomResourceDefinition installed?`
        : 'it does not exist'
    case 410:
      return 'the version to go on from is too old'
    case 429:
      return 'the API server has too many requests'
    default:
      return `the API server answers ${status} ${reason}`
  }
}

/** The server's own words; not those that may quote the contents of a Secret. */
function words(verb: Verb, { type }: Collection, status: number, message: string | undefined): string {
  if (message === undefined || message === '') return ''
  const quotesContents = type.group === '' && type.plural === 'secrets' && (status === 400 || status === 422)
  const writes = verb === 'create' || verb === 'update' || verb === 'patch'
  return quotesContents && writes ? '' : `. It says: ${message.slice(0, 1000)}`
}

function hint(message: string): string {
  if (/self.signed|unable to (verify|get)|CERT_|certificate has expired|altnames/i.test(message)) {
    return `${message}; check the certificate authority (certificate-authority in the kubeconfig) and the server's name`
  }
  return message
}
