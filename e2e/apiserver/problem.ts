/** What the API server refuses, as metav1.Status says it (k8s.io/apimachinery/pkg/api/errors). */
import type { Fields } from './object.ts'

export interface Cause {
  readonly reason: string
  readonly message: string
  readonly field?: string
}

export interface Details {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly Cause[]
  readonly retryAfterSeconds?: number
}

/** The resource and the name a message is about: `l3vnis.nodeleaf.io "red"`. */
export interface Subject {
  readonly group: string
  readonly plural: string
  readonly name?: string
}

export class ApiProblem extends Error {
  override readonly name = 'ApiProblem'
  readonly code: number
  readonly reason: string
  readonly details: Details | undefined

  constructor(code: number, reason: string, message: string, details?: Details) {
    super(message)
    this.code = code
    this.reason = reason
    this.details = details
  }

  get status(): Fields {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details ? { details: this.details } : {}),
      code: this.code,
    }
  }
}

const qualified = ({ group, plural }: Subject): string => (group === '' ? plural : `${plural}.${group}`)
const named = (subject: Subject): string => `${qualified(subject)} "${subject.name ?? ''}"`
const detailsOf = ({ group, plural, name }: Subject): Details => ({
  ...(name === undefined ? {} : { name }),
  ...(group === '' ? {} : { group }),
  kind: plural,
})

export const problems = {
  badRequest: (message: string) => new ApiProblem(400, 'BadRequest', message),
  unauthorized: () => new ApiProblem(401, 'Unauthorized', 'Unauthorized'),
  forbidden: (subject: Subject, message: string) =>
    new ApiProblem(
      403,
      'Forbidden',
      `${subject.name === undefined || subject.name === '' ? qualified(subject) : named(subject)} is forbidden: ${message}`,
      detailsOf(subject),
    ),
  notFound: (subject: Subject) => new ApiProblem(404, 'NotFound', `${named(subject)} not found`, detailsOf(subject)),
  noSuchPath: () => new ApiProblem(404, 'NotFound', 'the server could not find the requested resource', {}),
  methodNotAllowed: () =>
    new ApiProblem(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {}),
  alreadyExists: (subject: Subject) =>
    new ApiProblem(409, 'AlreadyExists', `${named(subject)} already exists`, detailsOf(subject)),
  conflict: (subject: Subject, message: string) =>
    new ApiProblem(
      409,
      'Conflict',
      `Operation cannot be fulfilled on ${named(subject)}: ${message}`,
      detailsOf(subject),
    ),
  modified: (subject: Subject) =>
    problems.conflict(
      subject,
      'the object has been modified; please apply your changes to the latest version and try again',
    ),
  expired: (message: string) => new ApiProblem(410, 'Expired', message),
  tooOld: (asked: number, oldest: number) =>
    new ApiProblem(410, 'Expired', `too old resource version: ${asked} (${oldest})`),
  unsupportedMediaType: (type: string, supported: readonly string[]) =>
    new ApiProblem(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${supported.join(', ')}` +
        (type === '' ? '' : ` (got ${type})`),
    ),
  tooManyRequests: (seconds: number) =>
    new ApiProblem(429, 'TooManyRequests', 'the server has received too many requests, please try again later', {
      retryAfterSeconds: seconds,
    }),
  internal: (message: string) => new ApiProblem(500, 'InternalError', `Internal error occurred: ${message}`),
}
