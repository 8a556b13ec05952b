/** A CustomResourceDefinition as the resource it declares. */
import { isFields, timestamp, type Fields, type KubeObject } from '../object.ts'
import { ruleProblems } from '../schema/cel.ts'
import { fieldProblems as found, type FieldProblem, type Path } from '../schema/field-problem.ts'
import { metadataSchema } from '../schema/metadata.ts'
import type { Schema } from '../schema/schema.ts'
import { validate } from '../schema/validate.ts'
import type { Column, Resource } from './resource.ts'

interface Version {
  readonly name: string
  readonly served: boolean
  readonly storage: boolean
  readonly schema?: { readonly openAPIV3Schema?: Schema }
  readonly subresources?: { readonly status?: Fields }
  readonly additionalPrinterColumns?: readonly Column[]
}

interface Spec {
  readonly group: string
  readonly scope: 'Cluster' | 'Namespaced'
  readonly names: {
    readonly kind: string
    readonly plural: string
    readonly singular?: string
    readonly listKind?: string
    readonly shortNames?: readonly string[]
    readonly categories?: readonly string[]
  }
  readonly versions: readonly Version[]
}

const specOf = (crd: KubeObject): Spec => crd['spec'] as Spec
const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }

/** One resource for each version that is served. */
export function resourcesOf(crd: KubeObject): readonly Resource[] {
  const { group, scope, names, versions } = specOf(crd)
  return versions
    .filter(({ served }) => served)
    .map((version) => {
      const schema = version.schema?.openAPIV3Schema ?? {}
      const status = version.subresources?.status !== undefined
      return {
        group,
        version: version.name,
        kind: names.kind,
        listKind: names.listKind ?? `${names.kind}List`,
        plural: names.plural,
        singular: names.singular ?? names.kind.toLowerCase(),
        shortNames: names.shortNames ?? [],
        categories: names.categories ?? [],
        namespaced: scope === 'Namespaced',
        status,
        schema: { ...schema, properties: { ...schema.properties, metadata: metadataSchema } },
        custom: true,
        generation: true,
        unconditionalUpdate: false,
        createOnUpdate: false,
        columns: version.additionalPrinterColumns ?? [age],
      }
    })
}

/** A definition that passed is served at once. */
export function prepareCrd(crd: KubeObject): KubeObject {
  const spec = crd['spec']
  if (!isFields(spec) || !isFields(spec['names']) || !Array.isArray(spec['versions'])) return crd
  const names = spec['names']
  const kind = String(names['kind'])
  const filled = { singular: kind.toLowerCase(), listKind: `${kind}List`, ...names }
  const now = crd.metadata.creationTimestamp ?? timestamp(0)
  const condition = (type: string, reason: string, message: string): Fields => ({
    type,
    status: 'True',
    lastTransitionTime: now,
    reason,
    message,
  })
  const storage = (spec['versions'] as Version[]).filter((each) => each.storage).map(({ name }) => name)
  return {
    ...crd,
    spec: { conversion: { strategy: 'None' }, ...spec, names: filled },
    status: {
      conditions: [
        condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
        condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
      ],
      acceptedNames: filled,
      storedVersions: storage,
    },
  }
}

/** pkg/apis/apiextensions/validation, as far as a definition here can go wrong. */
export function checkCrd(crd: KubeObject): readonly FieldProblem[] {
  const spec = crd['spec']
  if (!isFields(spec)) return [found.required(['spec'])]
  const { group, names, versions, scope } = spec as unknown as Spec
  const problem: FieldProblem[] = []
  if (!Array.isArray(versions) || versions.length === 0) return [found.required(['spec', 'versions'])]
  if (crd.metadata.name !== `${names.plural}.${group}`)
    problem.push(found.invalid(['metadata', 'name'], crd.metadata.name, 'must be spec.names.plural+"."+spec.group'))
  if (scope !== 'Cluster' && scope !== 'Namespaced')
    problem.push(found.unsupported(['spec', 'scope'], scope, ['Cluster', 'Namespaced']))
  if (specOf(crd).versions.filter(({ storage }) => storage).length !== 1)
    problem.push(found.invalid(['spec', 'versions'], '', 'must have exactly one version marked as storage version'))
  for (const [i, version] of specOf(crd).versions.entries()) {
    const path = ['spec', 'versions', i, 'schema', 'openAPIV3Schema']
    const schema = version.schema?.openAPIV3Schema
    if (!schema) problem.push(found.required(path, 'schemas are required'))
    else problem.push(...structuralProblems(schema, path, true), ...ruleProblems(schema, path))
  }
  return problem
}

const allowedMetadata = new Set(['type', 'description', 'properties'])

function* structuralProblems(schema: Schema, path: Path, root = false): Generator<FieldProblem> {
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true || schema['x-kubernetes-int-or-string'] === true
  if (schema.type === undefined && !open)
    yield found.required([...path, 'type'], 'must not be empty for specified object fields')
  for (const key of ['$ref', 'definitions', 'uniqueItems', 'patternProperties', 'deprecated'])
    if (key in schema) yield found.forbidden([...path, key], `${key} is not supported`)
  if (schema.additionalProperties !== undefined && schema.properties)
    yield found.forbidden([...path, 'additionalProperties'], 'additionalProperties and properties are mutual exclusive')
  if (schema.default !== undefined) yield* validate(schema, schema.default, [...path, 'default'])
  if (schema.type === 'array' && !schema.items && !open) yield found.required([...path, 'items'], 'must be specified')
  yield* listTypeProblems(schema, path)
  for (const [key, each] of Object.entries(schema.properties ?? {})) {
    const at = [...path, `properties[${key}]`]
    if (root && key === 'metadata') {
      if (Object.keys(each).some((field) => !allowedMetadata.has(field)))
        yield found.forbidden(
          at,
          'must not specify anything other than name and generateName, but metadata is implicitly specified',
        )
    } else yield* structuralProblems(each, at)
  }
  if (schema.items) yield* structuralProblems(schema.items, [...path, 'items'])
  if (typeof schema.additionalProperties === 'object')
    yield* structuralProblems(schema.additionalProperties, [...path, 'additionalProperties'])
}

function* listTypeProblems(schema: Schema, path: Path): Generator<FieldProblem> {
  const type = schema['x-kubernetes-list-type']
  const keys = schema['x-kubernetes-list-map-keys']
  if (type !== undefined && schema.type !== 'array')
    yield found.invalid([...path, 'type'], schema.type ?? '', 'must be array if x-kubernetes-list-type is specified')
  if ((type === 'map') !== (keys !== undefined))
    yield found.required([...path, 'x-kubernetes-list-map-keys'], 'must not be empty if x-kubernetes-list-type is map')
  if (type === 'set' && schema.items?.type === 'object' && schema.items['x-kubernetes-map-type'] !== 'atomic')
    yield found.invalid(
      [...path, 'items', 'x-kubernetes-map-type'],
      null,
      'must be atomic as item of a list with x-kubernetes-list-type=set',
    )
  for (const key of keys ?? []) {
    const property = schema.items?.properties?.[key]
    if (!property)
      yield found.invalid([...path, 'x-kubernetes-list-map-keys'], key, 'entries must all be names of item properties')
    else if (!(schema.items?.required ?? []).includes(key) && property.default === undefined)
      yield found.required(
        [...path, 'items', `properties[${key}]`, 'default'],
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
      )
  }
}
