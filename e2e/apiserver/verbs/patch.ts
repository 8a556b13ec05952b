/** PATCH in its four kinds. https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply */
import { parse } from 'yaml'
import { defined, isFields, without, type KubeObject } from '../object.ts'
import { apply } from '../patch/apply.ts'
import { jsonPatch } from '../patch/json-patch.ts'
import { managersOf, type Managers } from '../patch/managers.ts'
import { mergePatch, strategicMergePatch } from '../patch/merge-patch.ts'
import { ApiProblem, problems } from '../problem.ts'
import { keyOf } from '../resources/resource.ts'
import { isTrue } from '../http/route.ts'
import { managerOf, subjectOf, type Call, type Context } from './context.ts'
import { create } from './create.ts'
import { decode, pruned } from './draft.ts'
import { replace } from './update.ts'

const APPLY = 'application/apply-patch+yaml'
const STRATEGIC = 'application/strategic-merge-patch+json'
const JSON_PATCH = 'application/json-patch+json'
const MERGE = 'application/merge-patch+json'

export interface Patched {
  readonly object: KubeObject
  readonly created: boolean
}

/** A patch that raced with another write is applied again, as the API server does, a few times. */
export async function patch(context: Context, call: Call, type: string, text: string): Promise<Patched> {
  const supported = call.resource.custom ? [JSON_PATCH, MERGE, APPLY] : [JSON_PATCH, MERGE, STRATEGIC, APPLY]
  if (!supported.includes(type)) throw problems.unsupportedMediaType(type, supported)
  const body = type === APPLY ? applied(text) : parsedJson(text)
  for (let attempt = 1; ; attempt++) {
    const before = context.store.get(keyOf(call.resource), call.info.namespace, call.info.name ?? '')
    const raced = (): boolean =>
      before !== undefined &&
      context.store.get(keyOf(call.resource), call.info.namespace, call.info.name ?? '') !== before
    try {
      return await attemptPatch(context, call, type, body, before)
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.code !== 409 || !raced() || attempt === 5) throw error
    }
  }
}

async function attemptPatch(
  context: Context,
  call: Call,
  type: string,
  body: unknown,
  before: KubeObject | undefined,
): Promise<Patched> {
  if (type === APPLY) return applyPatch(context, call, body, before)
  if (!before) throw problems.notFound(subjectOf(call))
  const patched =
    type === JSON_PATCH
      ? jsonPatch(before, body)
      : type === MERGE
        ? mergePatch(before, body)
        : strategicMergePatch(call.resource.schema, before, body)
  return { object: await replace(context, call, before, decode(call, patched)), created: false }
}

async function applyPatch(
  context: Context,
  call: Call,
  body: unknown,
  before: KubeObject | undefined,
): Promise<Patched> {
  const { info, resource } = call
  if ((info.query.get('fieldManager') ?? '') === '')
    throw problems.badRequest(
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    )
  if (!isFields(body)) throw problems.badRequest('error decoding YAML: no object')
  for (const key of ['apiVersion', 'kind'])
    if (typeof body[key] !== 'string')
      throw problems.badRequest(`Object '${key}' is missing in the applied configuration`)
  const given = decode(call, body)
  if (given.metadata.managedFields) throw problems.badRequest('metadata.managedFields must be nil')
  const manager = managerOf(call, 'Apply')
  const config = own(call, pruned({ ...call, warnings: [] }, given))
  if (!before) {
    if (info.subresource !== undefined) throw problems.notFound(subjectOf(call))
    const nothing = { apiVersion: config.apiVersion, kind: config.kind, metadata: { name: info.name ?? '' } }
    const { managers } = apply(resource.schema, nothing, config, new Map(), manager, false)
    return { object: await create(context, call, given, managers), created: true }
  }
  const known: Managers = managersOf(before)
  const result = apply(resource.schema, before, config, known, manager, isTrue(info.query.get('force')))
  const { resourceVersion } = given.metadata
  const expected = resourceVersion === undefined ? {} : { resourceVersion }
  const next = { ...result.object, metadata: { ...result.object.metadata, ...expected } }
  pruned(call, given)
  return { object: await replace(context, call, before, next, result.managers), created: false }
}

/** What an apply can own by this path: never the status by the main one, nothing but the status by its own. */
function own({ resource, info }: Call, config: KubeObject): KubeObject {
  if (info.subresource === 'status') {
    const { apiVersion, kind, metadata, status } = config
    return defined({ apiVersion, kind, metadata: { name: metadata.name }, status }) as KubeObject
  }
  return resource.status ? without(config, 'status') : config
}

/** JSON is YAML too, and read as JSON it takes a hundredth of the time. */
function applied(text: string): unknown {
  return text.startsWith('{') ? parsedJson(text) : (parse(text) as unknown)
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw problems.badRequest(`error decoding patch: ${error instanceof Error ? error.message : String(error)}`)
  }
}
