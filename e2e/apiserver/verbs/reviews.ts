/** Requests that are answered and not stored: TokenReview, and the `token` of a ServiceAccount. */
import { isFields, timestamp, type Fields } from '../object.ts'
import { problems } from '../problem.ts'
import { fieldProblems, invalid } from '../schema/field-problem.ts'
import type { Bound } from '../access/tokens.ts'
import { subjectOf, type Call, type Context } from './context.ts'

export function tokenReview({ tokens }: Context, body: unknown): Fields {
  const spec = isFields(body) && isFields(body['spec']) ? body['spec'] : {}
  const { token } = spec
  if (typeof token !== 'string' || token === '')
    throw problems.badRequest('token is required for TokenReview in authentication')
  const audiences = Array.isArray(spec['audiences']) ? spec['audiences'].map(String) : undefined
  const review = tokens.review(token, audiences)
  const status =
    'error' in review
      ? { user: {}, error: `[${review.error}]` }
      : { authenticated: true, user: review.user, audiences: review.audiences }
  return { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', metadata: {}, spec, status }
}

const bindable = ['Pod', 'Node', 'Secret']

/** TokenRequest: ten minutes at least, a day at most here. */
export function tokenRequest({ tokens, store }: Context, call: Call, body: unknown): Fields {
  const { namespace = '', name = '' } = call.info
  if (!store.get('serviceaccounts', namespace, name)) throw problems.notFound(subjectOf(call))
  const spec = isFields(body) && isFields(body['spec']) ? body['spec'] : {}
  const seconds = typeof spec['expirationSeconds'] === 'number' ? spec['expirationSeconds'] : 3600
  const refuse = (path: readonly string[], value: unknown, detail: string): never => {
    throw invalid('authentication.k8s.io', 'TokenRequest', '', [
      fieldProblems.invalid(['spec', ...path], value, detail),
    ])
  }
  if (seconds < 600) refuse(['expirationSeconds'], seconds, 'may not specify a duration less than 10 minutes')
  const ref = isFields(spec['boundObjectRef']) ? spec['boundObjectRef'] : undefined
  const bound = ref && ({ kind: ref['kind'], name: ref['name'], uid: ref['uid'] } as Bound)
  if (bound) {
    if (!bindable.includes(bound.kind)) refuse(['boundObjectRef'], ref, 'cannot bind token to object of this type')
    const plural = `${bound.kind.toLowerCase()}s`
    const object = store.get(plural, bound.kind === 'Node' ? undefined : namespace, bound.name)
    if (!object) throw problems.notFound({ group: '', plural, name: bound.name })
    if (bound.uid && bound.uid !== object.metadata.uid)
      throw problems.conflict(
        { group: '', plural, name: bound.name },
        `the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      )
  }
  const audiences =
    Array.isArray(spec['audiences']) && spec['audiences'].length > 0 ? spec['audiences'].map(String) : [tokens.issuer]
  const order = { namespace, name, audiences, expirationSeconds: Math.min(seconds, 86_400) }
  const { token, expires } = tokens.issue(bound ? { ...order, bound: without(bound) } : order)
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace },
    spec: { ...spec, audiences, expirationSeconds: order.expirationSeconds },
    status: { token, expirationTimestamp: timestamp(expires * 1000) },
  }
}

/** An empty uid is none. */
const without = ({ kind, name, uid }: Bound): Bound => ({ kind, name, ...(uid ? { uid } : {}) })
