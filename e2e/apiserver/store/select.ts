/** Label and field selectors as they come in a query (k8s.io/apimachinery/pkg/labels, pkg/fields). */
import { isFields, type KubeObject } from '../object.ts'
import { problems } from '../problem.ts'

export type Selects = (object: KubeObject) => boolean

type Labels = Readonly<Record<string, string>>

/** `a=b,c!=d,e in (f,g),h notin (i),j,!k` */
export function labelSelector(text: string): (labels: Labels) => boolean {
  const terms = text.split(/,(?![^(]*\))/).filter((each) => each.trim() !== '')
  const tests = terms.map((each) => labelTerm(each.trim()))
  return (labels) => tests.every((test) => test(labels))
}

function labelTerm(term: string): (labels: Labels) => boolean {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(term)
  if (set) {
    const [, key = '', operator, list = ''] = set
    const values = list.split(',').map((each) => each.trim())
    return (labels) => values.includes(labels[key] ?? '\0') === (operator === 'in')
  }
  const compared = /^([^!=\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(term)
  if (compared) {
    const [, key = '', operator, value = ''] = compared
    return (labels) => (labels[key] === value) === (operator !== '!=')
  }
  if (/^!\s*\S+$/.test(term)) return (labels) => labels[term.slice(1).trim()] === undefined
  if (/^[^\s!=()]+$/.test(term)) return (labels) => labels[term] !== undefined
  throw problems.badRequest(`unable to parse requirement: ${term}`)
}

/** Fields that built-in kinds can be selected by, beside name and namespace. */
const selectable: Readonly<Record<string, readonly string[]>> = {
  pods: ['spec.nodeName', 'spec.serviceAccountName', 'status.phase'],
  secrets: ['type'],
  nodes: ['spec.unschedulable'],
  'events.events.k8s.io': ['type', 'reason', 'reportingController', 'regarding.name', 'regarding.kind'],
}

/** `metadata.name=a,spec.nodeName!=b` */
export function fieldSelector(text: string, resource: string): Selects {
  const known = ['metadata.name', 'metadata.namespace', ...(selectable[resource] ?? [])]
  const tests = text
    .split(',')
    .filter((each) => each !== '')
    .map((term): Selects => {
      const [, path = '', operator, value] = /^([^!=]+)(==|=|!=)(.*)$/.exec(term) ?? []
      if (operator === undefined) throw problems.badRequest(`invalid field selector: ${term}`)
      if (!known.includes(path)) throw problems.badRequest(`field label not supported: ${path}`)
      return (object) => (fieldText(object, path) === value) === (operator !== '!=')
    })
  return (object) => tests.every((test) => test(object))
}

/** The name that a field selector asks for, if it asks for one: it counts as the request's name for RBAC. */
export function nameSelected(text: string | null): string | undefined {
  return /(?:^|,)metadata\.name==?([^,]+)/.exec(text ?? '')?.[1]
}

function fieldText(object: KubeObject, path: string): string {
  let at: unknown = object
  for (const key of path.split('.')) at = isFields(at) ? at[key] : undefined
  return typeof at === 'string' ? at : at === undefined ? '' : JSON.stringify(at)
}

export function selects(query: URLSearchParams, resource: string): Selects {
  const labels = labelSelector(query.get('labelSelector') ?? '')
  const fields = fieldSelector(query.get('fieldSelector') ?? '', resource)
  return (object) => fields(object) && labels(object.metadata.labels ?? {})
}
