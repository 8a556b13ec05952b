/** What a request asks, read from its method and URL (apiserver/pkg/endpoints/request/requestinfo.go). */
import { nameSelected } from '../store/select.ts'

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

export interface RequestInfo {
  readonly verb: Verb
  readonly path: string
  readonly query: URLSearchParams
  readonly group: string
  readonly version: string
  /** Empty for paths that are no resource. */
  readonly plural: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
}

const verbs: Readonly<Record<string, Verb>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

export function requestInfo(method: string, url: string): RequestInfo {
  const { pathname: path, searchParams: query } = new URL(url, 'http://localhost')
  const verb = verbs[method] ?? 'get'
  const none: RequestInfo = { verb, path, query, group: '', version: '', plural: '' }
  const parts = path
    .split('/')
    .filter((each) => each !== '')
    .map(decodeURIComponent)
  const [prefix, ...rest] = parts
  const [group, version, ...resource] = prefix === 'api' ? ['', ...rest] : prefix === 'apis' ? rest : []
  if (group === undefined || version === undefined || resource.length === 0) return none
  const scoped = resource[0] === 'namespaces' && resource.length > 2 && !isNamespaceSubresource(resource[2])
  const [plural = '', name, subresource] = scoped ? resource.slice(2) : resource
  const namespace = scoped ? resource[1] : undefined
  const selected = name ?? nameSelected(query.get('fieldSelector'))
  return {
    ...none,
    verb: name === undefined ? collectionVerb(verb, query) : verb,
    group,
    version,
    plural,
    ...(namespace === undefined ? {} : { namespace }),
    ...(selected === undefined ? {} : { name: selected }),
    ...(subresource === undefined ? {} : { subresource }),
  }
}

/** `namespaces/x/status` is about the namespace itself. */
const isNamespaceSubresource = (part: string | undefined): boolean => part === 'status' || part === 'finalize'

function collectionVerb(verb: Verb, query: URLSearchParams): Verb {
  if (verb === 'get') return isTrue(query.get('watch')) ? 'watch' : 'list'
  return verb === 'delete' ? 'deletecollection' : verb
}

export const isTrue = (text: string | null): boolean => text === 'true' || text === '1'
