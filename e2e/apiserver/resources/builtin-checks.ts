/** Validation of built-in kinds where nodeleaf writes them: Leases, Events, webhook configurations. */
import { isDeepStrictEqual } from 'node:util'
import { isFields, type Fields, type KubeObject } from '../object.ts'
import { problems } from '../problem.ts'
import { fieldProblems as found, type FieldProblem } from '../schema/field-problem.ts'

/** metav1.MicroTime is read with exactly six digits of fraction. */
const microTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/

function requireMicroTime(value: unknown): void {
  if (value === undefined || value === null) return
  if (typeof value !== 'string' || !microTime.test(value))
    throw problems.badRequest(
      `parsing time ${JSON.stringify(JSON.stringify(value))} as "2006-01-02T15:04:05.000000Z07:00": cannot parse`,
    )
}

/** A MiB of values: what a ConfigMap or a Secret may hold (pkg/apis/core/validation). */
export function checkSize(object: KubeObject): readonly FieldProblem[] {
  const most = 2 ** 20
  const values = (key: string): string[] => (isFields(object[key]) ? Object.values(object[key]).map(String) : [])
  const base64 = object.kind === 'Secret' ? values('data') : values('binaryData')
  const plain = object.kind === 'Secret' ? [] : values('data')
  const size = [
    ...base64.map((each) => Buffer.byteLength(each, 'base64')),
    ...plain.map((each) => Buffer.byteLength(each)),
  ]
  return size.reduce((sum, each) => sum + each, 0) > most ? [found.tooLong(['data'], most)] : []
}

/** pkg/apis/coordination/validation */
export function checkLease(lease: KubeObject): readonly FieldProblem[] {
  const spec = isFields(lease['spec']) ? lease['spec'] : {}
  requireMicroTime(spec['renewTime'])
  requireMicroTime(spec['acquireTime'])
  const problem: FieldProblem[] = []
  const { leaseDurationSeconds: duration, leaseTransitions: transitions, holderIdentity: holder } = spec
  if (typeof duration === 'number' && duration <= 0)
    problem.push(found.invalid(['spec', 'leaseDurationSeconds'], duration, 'must be greater than 0'))
  if (typeof transitions === 'number' && transitions < 0)
    problem.push(found.invalid(['spec', 'leaseTransitions'], transitions, 'must be greater than or equal to 0'))
  if (holder === '') problem.push(found.invalid(['spec', 'holderIdentity'], '', 'must not be empty'))
  return problem
}

const immutable = [
  'regarding',
  'reason',
  'note',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingController',
  'reportingInstance',
]

/** pkg/apis/core/validation/events.go, for events.k8s.io/v1 */
export function checkEvent(event: KubeObject, before: KubeObject | undefined): readonly FieldProblem[] {
  requireMicroTime(event['eventTime'])
  const problem: FieldProblem[] = []
  const regarding = isFields(event['regarding']) ? event['regarding'] : {}
  const about = regarding['namespace'] ?? ''
  const { namespace = '' } = event.metadata
  if (about === '' ? !['default', 'kube-system'].includes(namespace) : about !== namespace)
    problem.push(found.invalid(['involvedObject', 'namespace'], about, 'does not match event.namespace'))
  if (event['eventTime'] === undefined) problem.push(found.required(['eventTime']))
  for (const key of ['reportingController', 'reportingInstance', 'action', 'reason']) {
    const value = event[key]
    if (typeof value !== 'string' || value === '') problem.push(found.required([key]))
    else if (value.length > 128) problem.push(found.invalid([key], value, 'can have at most 128 characters'))
  }
  if (Buffer.byteLength(String(event['note'] ?? '')) > 1024)
    problem.push(found.invalid(['message'], '', 'can have at most 1024 characters'))
  if (event['type'] !== 'Normal' && event['type'] !== 'Warning')
    problem.push(found.invalid(['type'], '', `has invalid value: ${String(event['type'])}`))
  if (before)
    for (const key of immutable)
      if (!isDeepStrictEqual(event[key], before[key]))
        problem.push(found.invalid([key], event[key] ?? null, 'field is immutable'))
  return problem
}

/** pkg/apis/admissionregistration/validation */
export function checkWebhooks(configuration: KubeObject): readonly FieldProblem[] {
  const webhooks = Array.isArray(configuration['webhooks']) ? (configuration['webhooks'] as Fields[]) : []
  return webhooks.flatMap((each, i) => [...webhookProblems(each, ['webhooks', i])])
}

function* webhookProblems(webhook: Fields, path: readonly (string | number)[]): Generator<FieldProblem> {
  const { name, sideEffects, timeoutSeconds: timeout, admissionReviewVersions: versions } = webhook
  if (typeof name !== 'string' || name.split('.').length < 3)
    yield found.invalid(
      [...path, 'name'],
      name ?? '',
      'should be a domain with at least three segments separated by dots',
    )
  if (sideEffects === undefined)
    yield found.required([...path, 'sideEffects'], 'must specify one of None, NoneOnDryRun')
  else if (sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun')
    yield found.unsupported([...path, 'sideEffects'], sideEffects, ['None', 'NoneOnDryRun'])
  if (!Array.isArray(versions) || versions.length === 0)
    yield found.required([...path, 'admissionReviewVersions'], 'must specify one of v1, v1beta1')
  if (typeof timeout !== 'number' || timeout < 1 || timeout > 30)
    yield found.invalid([...path, 'timeoutSeconds'], timeout, 'the timeout value must be between 1 and 30 seconds')
  if (webhook['failurePolicy'] !== 'Fail' && webhook['failurePolicy'] !== 'Ignore')
    yield found.unsupported([...path, 'failurePolicy'], webhook['failurePolicy'], ['Fail', 'Ignore'])
  const config = isFields(webhook['clientConfig']) ? webhook['clientConfig'] : {}
  if ((config['url'] === undefined) === (config['service'] === undefined))
    yield found.required([...path, 'clientConfig'], 'exactly one of url or service is required')
  if (config['caBundle'] !== undefined && typeof config['caBundle'] !== 'string')
    throw problems.badRequest('illegal base64 data in caBundle')
}
