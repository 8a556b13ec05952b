/** DELETE of an object or of a collection. https://kubernetes.io/docs/concepts/architecture/garbage-collection/ */
import { isFields, timestamp, type Fields, type KubeObject } from '../object.ts'
import { problems } from '../problem.ts'
import { keyOf } from '../resources/resource.ts'
import { selects } from '../store/select.ts'
import { isDryRun, subjectOf, type Call, type Context } from './context.ts'

/** The Status of an object that is gone, or the object when finalizers still hold it. */
export async function remove(context: Context, call: Call, options: Fields): Promise<Fields> {
  const { store } = context
  const { resource, info } = call
  const before = store.get(keyOf(resource), info.namespace, info.name ?? '')
  if (!before) throw problems.notFound(subjectOf(call))
  const { uid, resourceVersion } = isFields(options['preconditions']) ? options['preconditions'] : {}
  const refuse = (what: string, wanted: unknown, is: unknown): never => {
    throw problems.conflict(
      subjectOf(call),
      `Precondition failed: ${what} in precondition: ${String(wanted)}, ${what} in object meta: ${String(is)}`,
    )
  }
  if (uid !== undefined && uid !== before.metadata.uid) refuse('UID', uid, before.metadata.uid)
  if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion)
    refuse('ResourceVersion', resourceVersion, before.metadata.resourceVersion)
  await admit(context, call, before)
  const current = store.get(keyOf(resource), info.namespace, before.metadata.name)
  if (!current) throw problems.notFound(subjectOf(call))
  const policy = options['propagationPolicy'] ?? info.query.get('propagationPolicy')
  const held = finalizersFor(current, policy)
  if (held.length > 0) return isDryRun(call) ? current : hold(context, call, current, held)
  if (!isDryRun(call)) dispose(context, call, current)
  const { group, plural } = resource
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name: before.metadata.name, ...(group === '' ? {} : { group }), kind: plural, uid: before.metadata.uid },
  }
}

/** Deletes what the selectors select; gives what that was. */
export async function removeAll(context: Context, call: Call, options: Fields): Promise<readonly KubeObject[]> {
  const { resource, info } = call
  const chosen = selects(info.query, keyOf(resource))
  const found = context.store
    .list(keyOf(resource))
    .filter((each) => (info.namespace === undefined || each.metadata.namespace === info.namespace) && chosen(each))
  for (const { metadata } of found) {
    const { name, namespace } = metadata
    const one = { ...info, verb: 'delete', name, ...(namespace === undefined ? {} : { namespace }) } as const
    await remove(context, { ...call, info: one }, options)
  }
  return found
}

async function admit({ webhooks }: Context, call: Call, before: KubeObject): Promise<void> {
  const { resource, user } = call
  const { name, namespace } = before.metadata
  const review = {
    operation: 'DELETE',
    resource,
    subresource: undefined,
    name,
    namespace,
    object: undefined,
    before,
    user,
  } as const
  call.warnings.push(...(await webhooks.review({ ...review, dryRun: isDryRun(call) })))
}

function finalizersFor({ metadata: { finalizers = [] } }: KubeObject, policy: unknown): readonly string[] {
  const rest = finalizers.filter((each) => each !== 'foregroundDeletion' && each !== 'orphan')
  if (policy === 'Orphan') return [...rest, 'orphan']
  return policy === 'Foreground' ? [...rest, 'foregroundDeletion'] : finalizers
}

function hold(
  { store, now }: Context,
  { resource }: Call,
  object: KubeObject,
  finalizers: readonly string[],
): KubeObject {
  const { generation, deletionTimestamp } = object.metadata
  if (deletionTimestamp !== undefined) return object
  return store.put(keyOf(resource), {
    ...object,
    metadata: {
      ...object.metadata,
      finalizers,
      deletionTimestamp: timestamp(now()),
      deletionGracePeriodSeconds: 0,
      ...(generation === undefined ? {} : { generation: generation + 1 }),
    },
  })
}

/** A namespace takes what is in it along. */
function dispose({ store, registry }: Context, { resource }: Call, object: KubeObject): void {
  if (keyOf(resource) === 'namespaces')
    for (const each of registry.all().filter(({ namespaced }) => namespaced))
      for (const inside of store.list(keyOf(each)))
        if (inside.metadata.namespace === object.metadata.name) store.remove(keyOf(each), inside)
  if (keyOf(resource) === 'customresourcedefinitions.apiextensions.k8s.io')
    for (const inside of store.list(object.metadata.name)) store.remove(object.metadata.name, inside)
  store.remove(keyOf(resource), object)
}
