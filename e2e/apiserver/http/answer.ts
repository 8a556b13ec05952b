/** Which verb answers a request, and how what it gives is shown. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { User } from '../access/user.ts'
import { isFields, type Fields, type KubeObject } from '../object.ts'
import { problems } from '../problem.ts'
import { apiVersionOf, keyOf, type Resource } from '../resources/resource.ts'
import { page } from '../store/list.ts'
import { selects } from '../store/select.ts'
import { subjectOf, type Call } from '../verbs/context.ts'
import { create } from '../verbs/create.ts'
import { remove, removeAll } from '../verbs/delete.ts'
import { patch } from '../verbs/patch.ts'
import { tokenRequest, tokenReview } from '../verbs/reviews.ts'
import { update } from '../verbs/update.ts'
import type { AuditEntry } from './audit.ts'
import { readObject, readText } from './body.ts'
import { discovery } from './discovery.ts'
import type { HandlerOptions } from './handler.ts'
import { isTrue, type RequestInfo } from './route.ts'
import { stream } from './stream.ts'
import { table } from './table.ts'

export interface Answer {
  readonly code: number
  readonly body: Fields | string
  readonly warnings: readonly string[]
}

const ok = (body: Fields | string, warnings: readonly string[] = [], code = 200): Answer => ({ code, body, warnings })

/** Undefined when the answer is a stream that goes on by itself. */
export async function answer(
  options: HandlerOptions,
  info: RequestInfo,
  user: User,
  request: IncomingMessage,
  response: ServerResponse,
  amend: (change: Partial<AuditEntry>) => void,
): Promise<Answer | undefined> {
  const { context } = options
  const { store, registry, now } = context
  if (info.plural === '') {
    if (['/healthz', '/readyz', '/livez'].includes(info.path)) return ok('ok')
    const found = discovery(info.path, registry.all())
    if (found) return ok(found)
    throw problems.noSuchPath()
  }
  const text = await readText(request)
  amend({ received: text.length })
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? ''
  if (info.group === 'authentication.k8s.io' && info.plural === 'tokenreviews' && info.verb === 'create')
    return ok(tokenReview(context, readObject(type, text)), [], 201)
  const resource = registry.find(info.group, info.version, info.plural)
  if (!resource) throw problems.noSuchPath()
  const call: Call = { info, resource, user, userAgent: request.headers['user-agent'] ?? '', warnings: [] }
  if (info.verb === 'create' && resource.plural === 'serviceaccounts' && info.subresource === 'token')
    return ok(tokenRequest(context, call, readObject(type, text)), [], 201)
  requireServed(resource, info)
  const show = asTable(request)
    ? (items: readonly KubeObject[], metadata: Fields) => table(resource, items, metadata, now())
    : undefined
  const one = (object: KubeObject, code = 200): Answer =>
    ok(show ? show([object], { resourceVersion: object.metadata.resourceVersion }) : object, call.warnings, code)

  if (info.verb === 'watch') return watch(options, call, response, amend, show)
  if (info.verb === 'list') return ok(list(options, call, show))
  if (info.verb === 'get') {
    const object = store.get(keyOf(resource), info.namespace, info.name ?? '')
    if (!object) throw problems.notFound(subjectOf(call))
    return one(object)
  }
  if (info.verb === 'create') return one(await create(context, call, readObject(type, text)), 201)
  if (info.verb === 'update') {
    const body = readObject(type, text)
    const before = store.get(keyOf(resource), info.namespace, info.name ?? '')
    return one(await update(context, call, body), before ? 200 : 201)
  }
  if (info.verb === 'patch') {
    const { object, created } = await patch(context, call, type, text)
    return one(object, created ? 201 : 200)
  }
  const deleteOptions = readObject(type, text)
  if (info.verb === 'delete')
    return ok(await remove(context, call, isFields(deleteOptions) ? deleteOptions : {}), call.warnings)
  const items = await removeAll(context, call, isFields(deleteOptions) ? deleteOptions : {})
  return ok({ ...listKind(resource), metadata: { resourceVersion: String(store.revision) }, items }, call.warnings)
}

function requireServed(resource: Resource, { subresource, namespace, name, verb }: RequestInfo): void {
  if (subresource !== undefined && !(subresource === 'status' && resource.status)) throw problems.noSuchPath()
  const whole = verb === 'list' || verb === 'watch'
  if (resource.namespaced ? namespace === undefined && !whole : namespace !== undefined) throw problems.noSuchPath()
  if (subresource !== undefined && (verb === 'create' || verb === 'delete')) throw problems.methodNotAllowed()
  if (verb === 'create' && name !== undefined) throw problems.methodNotAllowed()
}

/** `kubectl get` asks for tables. */
const asTable = ({ headers: { accept = '' } }: IncomingMessage): boolean =>
  accept
    .split(',')
    .some((each) => /\bas=Table\b/.test(each) && /\bg=meta\.k8s\.io\b/.test(each) && each.includes('json'))

const listKind = (resource: Resource): Fields => ({ kind: resource.listKind, apiVersion: apiVersionOf(resource) })

type Show = ((items: readonly KubeObject[], metadata: Fields) => Fields) | undefined

function list({ context: { store } }: HandlerOptions, { info, resource }: Call, show: Show): Fields {
  const { query, namespace } = info
  const { items, metadata } = page(store, {
    resource: keyOf(resource),
    namespace,
    selects: selects(query, keyOf(resource)),
    limit: Number(query.get('limit') ?? 0),
    continue: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    exact: query.get('resourceVersionMatch') === 'Exact',
  })
  return show ? show(items, metadata) : { ...listKind(resource), metadata, items }
}

function watch(
  options: HandlerOptions,
  { info, resource, user }: Call,
  response: ServerResponse,
  amend: (change: Partial<AuditEntry>) => void,
  show: Show,
): undefined {
  const { store } = options.context
  const { query, namespace } = info
  const since = Number(query.get('resourceVersion') ?? 0)
  if (!Number.isSafeInteger(since))
    throw problems.badRequest(`invalid resource version: ${query.get('resourceVersion') ?? ''}`)
  const initial = isTrue(query.get('sendInitialEvents'))
  const request = { resource: keyOf(resource), namespace, selects: selects(query, keyOf(resource)), since, initial }
  let bytes = 0
  amend({ status: 200 })
  const lose = stream(store, response, {
    request,
    kind: { kind: resource.kind, apiVersion: apiVersionOf(resource) },
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    bookmarkMs: options.bookmarkMs,
    timeoutMs: Number(query.get('timeoutSeconds') ?? 1800 + Math.floor(Math.random() * 1800)) * 1000,
    shape: (object) => (show ? show([object as KubeObject], {}) : object),
    sent: (count) => amend({ sent: (bytes += count) }),
    reset: () => response.socket && options.reset(response.socket),
  })
  const forget = options.watches.add({ info, user: user.username, lose })
  response.once('close', forget)
  return undefined
}
