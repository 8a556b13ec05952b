/** RBAC: whether the roles in the store let a user do what a request asks. https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
import { isFields, type KubeObject } from '../object.ts'
import type { RequestInfo } from '../http/route.ts'
import { problems, type ApiProblem } from '../problem.ts'
import type { Store } from '../store/store.ts'
import type { User } from './user.ts'

interface Rule {
  readonly verbs?: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
}

interface RoleSubject {
  readonly kind: string
  readonly name: string
  readonly namespace?: string
}

const rbac = (plural: string): string => `${plural}.rbac.authorization.k8s.io`

/** What system:discovery and system:public-info-viewer give to everybody. */
const discovery = /^\/(api|apis|openapi|version|healthz|livez|readyz)(\/|$)/

/** Undefined when it is allowed; else the 403. */
export function refused(store: Store, user: User, request: RequestInfo): ApiProblem | undefined {
  if (user.groups.includes('system:masters')) return undefined
  if (!request.plural) {
    if (request.verb === 'get' && discovery.test(request.path)) return undefined
    return rules(store, user, undefined).some((rule) =>
      rule.nonResourceURLs?.some((url) => matchesUrl(url, request.path)),
    )
      ? undefined
      : problems.forbidden({ group: '', plural: request.path }, message(user, request))
  }
  if (rules(store, user, request.namespace).some((rule) => allows(rule, request))) return undefined
  const { group, plural, name } = request
  return problems.forbidden({ group, plural, ...(name === undefined ? {} : { name }) }, message(user, request))
}

const matchesUrl = (url: string, path: string): boolean =>
  url.endsWith('*') ? path.startsWith(url.slice(0, -1)) : url === path

function message(user: User, { verb, group, plural, subresource, namespace, path }: RequestInfo): string {
  if (!plural) return `User "${user.username}" cannot ${verb} path "${path}"`
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
  return `User "${user.username}" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`
}

export function allows(rule: Rule, { verb, group, plural, subresource, name }: RequestInfo): boolean {
  const has = (list: readonly string[] | undefined, value: string): boolean =>
    list?.some((each) => each === value || each === '*') ?? false
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`
  const resourceFits =
    has(rule.resources, resource) || (subresource !== undefined && has(rule.resources, `*/${subresource}`))
  const nameFits = (rule.resourceNames ?? []).length === 0 || (name !== undefined && rule.resourceNames?.includes(name))
  return has(rule.verbs, verb) && has(rule.apiGroups, group) && resourceFits && nameFits === true
}

function rules(store: Store, user: User, namespace: string | undefined): readonly Rule[] {
  const cluster = store.list(rbac('clusterrolebindings')).filter((each) => binds(each, user))
  const local = store
    .list(rbac('rolebindings'))
    .filter((each) => namespace !== undefined && each.metadata.namespace === namespace && binds(each, user))
  return [...cluster, ...local].flatMap((binding) => {
    const ref = isFields(binding['roleRef']) ? binding['roleRef'] : {}
    const name = String(ref['name'])
    const role =
      ref['kind'] === 'Role'
        ? store.get(rbac('roles'), binding.metadata.namespace, name)
        : store.get(rbac('clusterroles'), undefined, name)
    return (role?.['rules'] as readonly Rule[] | undefined) ?? []
  })
}

function binds(binding: KubeObject, user: User): boolean {
  const subjects = (binding['subjects'] as readonly RoleSubject[] | undefined) ?? []
  return subjects.some(({ kind, name, namespace }) => {
    if (kind === 'ServiceAccount') return user.username === `system:serviceaccount:${namespace ?? ''}:${name}`
    return kind === 'Group' ? user.groups.includes(name) : user.username === name
  })
}
