/** From a body to an object that may be stored: decoded, pruned, filled in, checked. */
import { isDeepStrictEqual } from 'node:util'
import { isFields, without, type Fields, type KubeObject, type Metadata } from '../object.ts'
import { ApiProblem, problems } from '../problem.ts'
import { apiVersionOf, type Resource } from '../resources/resource.ts'
import { brokenRules } from '../schema/cel.ts'
import { prune, withDefaults } from '../schema/defaults.ts'
import { fieldProblems, invalid, type FieldProblem, type Path } from '../schema/field-problem.ts'
import { metadataSchema } from '../schema/metadata.ts'
import { validate } from '../schema/validate.ts'
import type { Call } from './context.ts'

/** The body as an object of the resource. @throws ApiProblem 400 when it is of another kind or its metadata is none. */
export function decode({ resource, info }: Call, body: unknown): KubeObject {
  if (!isFields(body)) throw problems.badRequest('the body of the request is no object')
  const { apiVersion = apiVersionOf(resource), kind = resource.kind } = body
  if (apiVersion !== apiVersionOf(resource) || kind !== resource.kind)
    throw problems.badRequest(
      `the API version in the data (${String(apiVersion)}, ${String(kind)}) does not match the expected API version (${apiVersionOf(resource)}, ${resource.kind})`,
    )
  const given = isFields(body['metadata']) ? body['metadata'] : {}
  const [wrong] = validate(metadataSchema, given, ['metadata'])
  if (wrong && !wrong.message.includes('Required'))
    throw problems.badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${wrong.message}`,
    )
  const { namespace } = info
  if (given['namespace'] !== undefined && given['namespace'] !== '' && given['namespace'] !== namespace)
    throw problems.badRequest(`the namespace of the provided object does not match the namespace sent on the request`)
  const known = withDefaults(metadataSchema, prune(metadataSchema, given, false).value) as Metadata
  const metadata = { ...without(known, 'namespace'), ...(namespace === undefined ? {} : { namespace }) }
  return { ...body, apiVersion, kind, metadata } as KubeObject
}

/** Fields that the schema does not have go; how the client hears of it is its choice. */
export function pruned(call: Call, object: KubeObject): KubeObject {
  const { resource, info, warnings } = call
  if (!resource.custom) return object
  const { value, unknown } = prune(resource.schema, object)
  const validation = info.query.get('fieldValidation') ?? 'Warn'
  const texts = unknown.map((path) => `unknown field "${path}"`)
  if (validation === 'Strict' && texts.length > 0)
    throw problems.badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error: ${texts.join(', ')}`,
    )
  if (validation === 'Warn') warnings.push(...texts)
  return value as KubeObject
}

/** With the server's own fields. */
export function filled({ custom, schema, prepare }: Resource, object: KubeObject): KubeObject {
  const full = custom ? (withDefaults(without(schema, 'metadata'), object) as KubeObject) : object
  return prepare ? prepare(full) : full
}

/** @throws ApiProblem 422 that names every field. What an update did not touch is not complained about. */
export function check(resource: Resource, object: KubeObject, before: KubeObject | undefined): void {
  const found = [...nameProblems(resource, object), ...(resource.check?.(object, before) ?? [])]
  if (resource.custom) found.push(...customProblems(resource, object, before))
  if (found.length > 0) throw invalid(resource.group, resource.kind, object.metadata.name, found)
  // What etcd takes in one request.
  if (JSON.stringify(object).length > 1.5 * 2 ** 20)
    throw new ApiProblem(500, 'InternalError', 'etcdserver: request is too large')
}

function customProblems({ schema }: Resource, object: KubeObject, before: KubeObject | undefined): FieldProblem[] {
  const touched = (each: FieldProblem): boolean => {
    const path = each.reason === 'FieldValueRequired' ? each.path.slice(0, -1) : each.path
    return !before || !isDeepStrictEqual(at(object, path), at(before, path))
  }
  const schemaProblems = validate(schema, object).filter(touched)
  const blocking = ['FieldValueRequired', 'FieldValueTypeInvalid', 'FieldValueTooLong', 'FieldValueTooMany']
  if (schemaProblems.some(({ reason }) => blocking.includes(reason)))
    return [
      ...schemaProblems,
      fieldProblems.invalid(
        [],
        null,
        'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
      ),
    ]
  return [...schemaProblems, ...brokenRules(schema, object, before).filter((each) => touched(owner(each, object)))]
}

/** A rule is about the object it stands at: when a sibling of the field it blames changed, it counts. */
function owner(problem: FieldProblem, object: KubeObject): FieldProblem {
  const path =
    at(object, problem.path) === undefined || !isFields(at(object, problem.path))
      ? problem.path.slice(0, -1)
      : problem.path
  return { ...problem, path }
}

function at(object: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown> | undefined)?.[key], object)
}

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

function* nameProblems({ group }: Resource, { metadata: { name } }: KubeObject): Generator<FieldProblem> {
  if (group === 'rbac.authorization.k8s.io') return
  const path = ['metadata', 'name']
  if (name.length > 253) yield fieldProblems.invalid(path, name, 'must be no more than 253 bytes')
  if (!subdomain.test(name))
    yield fieldProblems.invalid(
      path,
      name,
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    )
}

/** What metadata.generation counts: everything but the metadata and, where it is a subresource, the status. */
export function desiredOf({ status }: Resource, object: KubeObject): Fields {
  return without(object as Fields, 'metadata', 'apiVersion', 'kind', ...(status ? ['status'] : []))
}
