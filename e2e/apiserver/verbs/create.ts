/** POST of an object, and server-side apply of one that is not there yet. */
import { randomBytes, randomUUID } from 'node:crypto'
import { timestamp, without, type KubeObject } from '../object.ts'
import { afterUpdate, differenceOf, withManagers, type Managers } from '../patch/managers.ts'
import { ApiProblem, problems } from '../problem.ts'
import { keyOf } from '../resources/resource.ts'
import { isDryRun, managerOf, subjectOf, type Call, type Context } from './context.ts'
import { check, decode, filled, pruned } from './draft.ts'

/** The object as it is stored. `managers` are those of an apply; without them the request's manager owns all. */
export async function create(context: Context, call: Call, body: unknown, managers?: Managers): Promise<KubeObject> {
  const { store, webhooks, now } = context
  const { resource, info, user } = call
  const decoded = withName(call, pruned(call, decode(call, body)))
  const { name } = decoded.metadata
  const subject = subjectOf(call, name)
  requireNamespace(context, call)
  const created = timestamp(now())
  // The status of a custom resource comes by its subresource only.
  const fresh = resource.status && resource.custom ? without(decoded, 'status') : decoded
  const full = filled(resource, {
    ...fresh,
    metadata: {
      ...without(fresh.metadata, 'resourceVersion', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation'),
      uid: randomUUID(),
      creationTimestamp: created,
      ...(resource.generation ? { generation: 1 } : {}),
    },
  })
  const writer = managerOf(call, 'Update')
  const owned = managers ?? afterUpdate(new Map(), writer, differenceOf(resource.schema, {}, fresh))
  const object = withManagers(full, owned, new Map(), created)
  check(resource, object, undefined)
  if (store.get(keyOf(resource), info.namespace, name)) throw problems.alreadyExists(subject)
  const { namespace, subresource } = info
  const review = {
    operation: 'CREATE',
    resource,
    subresource,
    name,
    namespace,
    object,
    before: undefined,
    user,
  } as const
  call.warnings.push(...(await webhooks.review({ ...review, dryRun: isDryRun(call) })))
  // Another one may have been faster while the webhooks thought.
  if (store.get(keyOf(resource), info.namespace, name)) throw problems.alreadyExists(subject)
  return isDryRun(call) ? object : store.put(keyOf(resource), object)
}

function withName({ resource, info }: Call, object: KubeObject): KubeObject {
  const { name, generateName } = object.metadata
  if (info.name !== undefined && name !== undefined && name !== info.name)
    throw problems.badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`)
  const chosen =
    (name || undefined) ??
    info.name ??
    (generateName ? `${generateName}${randomBytes(3).toString('hex').slice(0, 5)}` : '')
  if (chosen === '')
    throw new ApiProblem(
      422,
      'Invalid',
      `${resource.kind}${resource.group === '' ? '' : `.${resource.group}`} "" is invalid: metadata.name: Required value: name or generateName is required`,
      {
        kind: resource.kind,
        group: resource.group,
        causes: [
          {
            reason: 'FieldValueRequired',
            message: 'Required value: name or generateName is required',
            field: 'metadata.name',
          },
        ],
      },
    )
  return { ...object, metadata: { ...object.metadata, name: chosen } }
}

function requireNamespace({ store }: Context, call: Call): void {
  const { namespace } = call.info
  if (namespace === undefined) return
  const found = store.get('namespaces', undefined, namespace)
  if (!found) throw problems.notFound({ group: '', plural: 'namespaces', name: namespace })
  if (found.metadata.deletionTimestamp !== undefined)
    throw problems.forbidden(
      subjectOf(call),
      `unable to create new content in namespace ${namespace} because it is being terminated`,
    )
}
