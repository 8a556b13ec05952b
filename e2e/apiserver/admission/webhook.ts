/**
 * Validating webhooks: which are called for a write, what they are asked, what their answer means.
 * https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
 */
import { randomUUID } from 'node:crypto'
import type { User } from '../access/user.ts'
import { isFields, type Fields, type KubeObject } from '../object.ts'
import { ApiProblem, problems } from '../problem.ts'
import { apiVersionOf, type Resource } from '../resources/resource.ts'
import type { Store } from '../store/store.ts'
import { holds } from '../schema/cel.ts'
import { post, type Endpoint } from './post.ts'
import { matches, type LabelSelector } from './selector.ts'

export interface Admission {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly resource: Resource
  readonly subresource: string | undefined
  readonly name: string
  readonly namespace: string | undefined
  readonly object: KubeObject | undefined
  readonly before: KubeObject | undefined
  readonly user: User
  readonly dryRun: boolean
}

/** Where a Service's port is: several endpoints take turns, as a Service's do. */
export type Services = Map<string, readonly { readonly host: string; readonly port: number }[]>

interface Rule {
  readonly operations: readonly string[]
  readonly apiGroups: readonly string[]
  readonly apiVersions: readonly string[]
  readonly resources: readonly string[]
  readonly scope?: string
}

interface Webhook {
  readonly name: string
  readonly clientConfig: {
    readonly url?: string
    readonly service?: {
      readonly name: string
      readonly namespace: string
      readonly port: number
      readonly path?: string
    }
    readonly caBundle?: string
  }
  readonly rules?: readonly Rule[]
  readonly failurePolicy: 'Fail' | 'Ignore'
  readonly timeoutSeconds: number
  readonly namespaceSelector: LabelSelector
  readonly objectSelector: LabelSelector
  readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[]
}

const CONFIGURATIONS = 'validatingwebhookconfigurations.admissionregistration.k8s.io'

export class Webhooks {
  readonly #store: Store
  readonly #services: Services
  #turn = 0

  constructor(store: Store, services: Services) {
    this.#store = store
    this.#services = services
  }

  /** Asks all that want to know, at the same time; gives their warnings. @throws ApiProblem when one refuses or fails. */
  async review(admission: Admission): Promise<readonly string[]> {
    if (admission.resource.group === 'admissionregistration.k8s.io') return []
    const asked = this.#store
      .list(CONFIGURATIONS)
      .flatMap((each) => (each['webhooks'] as readonly Webhook[] | undefined) ?? [])
      .filter((each) => this.#wants(each, admission))
    const answers = await Promise.allSettled(asked.map((each) => this.#ask(each, admission)))
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  }

  #wants({ rules = [], namespaceSelector, objectSelector }: Webhook, admission: Admission): boolean {
    const { object, before, namespace } = admission
    const labels = this.#store.get('namespaces', undefined, namespace ?? '')?.metadata.labels ?? {}
    return (
      rules.some((rule) => fits(rule, admission)) &&
      (namespace === undefined || matches(namespaceSelector, labels)) &&
      [object, before].some((each) => each !== undefined && matches(objectSelector, each.metadata.labels ?? {}))
    )
  }

  async #ask(webhook: Webhook, admission: Admission): Promise<readonly string[]> {
    const uid = randomUUID()
    const review = reviewOf(uid, admission)
    try {
      if (!meets(webhook, review['request'] as Fields)) return []
      const endpoint = this.#endpoint(webhook)
      const answer = await post(endpoint, JSON.stringify(review), webhook.timeoutSeconds * 1000)
      return verdict(webhook.name, uid, answer)
    } catch (error) {
      if (error instanceof ApiProblem) throw error
      if (webhook.failurePolicy === 'Ignore') return []
      const cause = error instanceof Error ? error.message : String(error)
      throw problems.internal(`failed calling webhook "${webhook.name}": failed to call webhook: ${cause}`)
    }
  }

  #endpoint({ clientConfig: { url, service, caBundle }, timeoutSeconds }: Webhook): Endpoint {
    const ca = caBundle === undefined ? {} : { ca: Buffer.from(caBundle, 'base64').toString() }
    const timeout = `?timeout=${timeoutSeconds}s`
    if (url !== undefined) return { url: `${url}${timeout}`, ...ca }
    if (!service) throw new Error('clientConfig has neither url nor service')
    const { name, namespace, port, path = '/' } = service
    const endpoints = this.#services.get(`${namespace}/${name}:${port}`) ?? []
    const chosen = endpoints[this.#turn++ % endpoints.length]
    const shown = `https://${name}.${namespace}.svc:${port}${path}${timeout}`
    if (!chosen) throw new Error(`Post "${shown}": no endpoints available for service "${name}"`)
    return { url: shown, connect: chosen, ...ca }
  }
}

function fits(rule: Rule, { operation, resource, subresource, namespace }: Admission): boolean {
  const has = (list: readonly string[], value: string): boolean => list.includes('*') || list.includes(value)
  const { group, version, plural } = resource
  const scope = rule.scope ?? '*'
  return (
    has(rule.operations, operation) &&
    has(rule.apiGroups, group) &&
    has(rule.apiVersions, version) &&
    (scope === '*' || (scope === 'Namespaced') === (namespace !== undefined)) &&
    rule.resources.some((each) => {
      const [wanted, sub] = each.split('/')
      return (wanted === '*' || wanted === plural) && (sub === subresource || sub === '*')
    })
  )
}

/** @throws when a condition cannot be evaluated; then failurePolicy decides */
function meets({ matchConditions = [] }: Webhook, request: Fields): boolean {
  const { object, oldObject } = request
  return matchConditions.every(({ expression }) => holds(expression, { request, object, oldObject }))
}

function reviewOf(uid: string, admission: Admission): Fields {
  const { operation, resource, subresource, name, namespace, object, before, user, dryRun } = admission
  const { group, version, kind, plural } = resource
  const options = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' }[operation]
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid,
      kind: { group, version, kind },
      resource: { group, version, resource: plural },
      ...(subresource === undefined ? {} : { subResource: subresource, requestSubResource: subresource }),
      requestKind: { group, version, kind },
      requestResource: { group, version, resource: plural },
      name,
      ...(namespace === undefined ? {} : { namespace }),
      operation,
      userInfo: user,
      object: object ? { ...object, apiVersion: apiVersionOf(resource) } : null,
      oldObject: before ?? null,
      dryRun,
      options: { kind: options, apiVersion: 'meta.k8s.io/v1' },
    },
  }
}

function verdict(webhook: string, uid: string, answer: unknown): readonly string[] {
  const response = isFields(answer) && isFields(answer['response']) ? answer['response'] : undefined
  if (!isFields(answer) || answer['kind'] !== 'AdmissionReview' || answer['apiVersion'] !== 'admission.k8s.io/v1')
    throw new Error(`webhook response is no admission.k8s.io/v1 AdmissionReview`)
  if (!response) throw new Error('webhook response was absent')
  if (response['uid'] !== uid) throw new Error(`expected response.uid="${uid}", got "${String(response['uid'])}"`)
  if (response['allowed'] !== true) {
    const status = isFields(response['status']) ? response['status'] : {}
    const said = status['message'] ?? status['reason']
    const text = `admission webhook "${webhook}" denied the request`
    const message = said === undefined ? `${text} without explanation` : `${text}: ${String(said)}`
    const code = typeof status['code'] === 'number' && status['code'] >= 400 ? status['code'] : 403
    throw new ApiProblem(
      code,
      typeof status['reason'] === 'string' ? status['reason'] : 'Forbidden',
      message,
      isFields(status['details']) ? status['details'] : undefined,
    )
  }
  const warnings = response['warnings']
  return Array.isArray(warnings) ? warnings.map(String) : []
}
