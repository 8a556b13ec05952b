/** PUT of an object, and the way that all patches end: the stored object becomes another one. */
import { isDeepStrictEqual } from 'node:util'
import { defined, SERVER_METADATA, timestamp, without, type KubeObject } from '../object.ts'
import { afterUpdate, differenceOf, managersOf, withManagers, type Managers } from '../patch/managers.ts'
import { problems } from '../problem.ts'
import { keyOf, type Resource } from '../resources/resource.ts'
import { fieldProblems, invalid } from '../schema/field-problem.ts'
import { isDryRun, managerOf, subjectOf, type Call, type Context } from './context.ts'
import { create } from './create.ts'
import { check, decode, desiredOf, filled, pruned } from './draft.ts'

export async function update(context: Context, call: Call, body: unknown): Promise<KubeObject> {
  const { resource, info } = call
  const next = decode(call, body)
  const before = context.store.get(keyOf(resource), info.namespace, info.name ?? '')
  if (!before) {
    if (resource.createOnUpdate && info.subresource === undefined) {
      const { uid } = next.metadata
      if (uid === undefined) return create(context, call, body)
      // Whoever names a uid means that one object (registry/rest/update.go, DefaultUpdatedObjectInfo.Preconditions).
      throw problems.conflict(subjectOf(call), `Precondition failed: UID in precondition: ${uid}, UID in object meta: `)
    }
    throw problems.notFound(subjectOf(call))
  }
  if (next.metadata.name !== info.name)
    throw problems.badRequest(
      `the name of the object (${next.metadata.name}) does not match the name on the URL (${info.name ?? ''})`,
    )
  if ((next.metadata.resourceVersion ?? '') === '' && !resource.unconditionalUpdate)
    throw invalid(resource.group, resource.kind, before.metadata.name, [
      fieldProblems.invalid(['metadata', 'resourceVersion'], 0, 'must be specified for an update'),
    ])
  return replace(context, call, before, next)
}

/**
 * Stores `next` in the place of `before`: only what the request may change, checked and admitted. `managers` are those of
 * an apply. @throws ApiProblem 409 when `next` has the resourceVersion of another state, or the state changed meanwhile.
 */
export async function replace(
  context: Context,
  call: Call,
  before: KubeObject,
  next: KubeObject,
  managers?: Managers,
): Promise<KubeObject> {
  const { store, webhooks } = context
  const { resource, info, user } = call
  const subject = subjectOf(call)
  const { resourceVersion, uid } = next.metadata
  if (resourceVersion && resourceVersion !== before.metadata.resourceVersion) throw problems.modified(subject)
  if (uid && uid !== before.metadata.uid)
    throw problems.conflict(
      subject,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid ?? ''}`,
    )
  const object = result(context, call, before, pruned(call, next), managers)
  check(resource, object, before)
  const { name, namespace } = before.metadata
  const { subresource } = info
  const review = { operation: 'UPDATE', resource, subresource, name, namespace, object, before, user } as const
  call.warnings.push(...(await webhooks.review({ ...review, dryRun: isDryRun(call) })))
  if (store.get(keyOf(resource), namespace, name) !== before) throw problems.modified(subject)
  if (isDryRun(call)) return object
  if (isDeepStrictEqual(object, before)) return before
  const { deletionTimestamp, finalizers = [] } = object.metadata
  if (deletionTimestamp !== undefined && finalizers.length === 0) return store.remove(keyOf(resource), object)
  return store.put(keyOf(resource), object)
}

function result(context: Context, call: Call, before: KubeObject, given: KubeObject, managers?: Managers): KubeObject {
  const { resource, info } = call
  const known = managersOf(before)
  const next = filled(resource, allowed(resource, info.subresource, before, given))
  const changed = !isDeepStrictEqual(desiredOf(resource, before), desiredOf(resource, next))
  const { generation = 0 } = before.metadata
  const counted = resource.generation
    ? { ...next, metadata: { ...next.metadata, generation: changed ? generation + 1 : generation } }
    : next
  // A client that sends an empty list takes all ownership away.
  const kept: Managers = given.metadata.managedFields?.length === 0 ? new Map() : known
  const owned = managers ?? afterUpdate(kept, managerOf(call, 'Update'), differenceOf(resource.schema, before, counted))
  return withManagers(counted, owned, known, timestamp(context.now()))
}

/** Identity and what the server counts stays; each of status and the rest is changed by its own path only. */
function allowed(
  resource: Resource,
  subresource: string | undefined,
  before: KubeObject,
  given: KubeObject,
): KubeObject {
  if (subresource === 'status') return defined({ ...before, status: given['status'] }) as KubeObject
  const fixed = Object.fromEntries(SERVER_METADATA.map((key) => [key, before.metadata[key]]))
  const metadata = defined({ ...without(given.metadata, ...SERVER_METADATA), ...fixed })
  const object = { ...given, apiVersion: before.apiVersion, kind: before.kind, metadata } as KubeObject
  return resource.status ? (defined({ ...object, status: before['status'] }) as KubeObject) : object
}
