/** The CustomResourceDefinition of a kind: a structural schema, CEL rules, columns, the status subresource. */
import { stringify } from 'yaml'
import type { CelRule } from './cel.ts'
import { jsonSchemaOf, type JsonSchema } from './json-schema.ts'
import { group, type Kind } from './kind.ts'

const version = 'v1alpha1'

/** As YAML, with a line that says where it comes from. */
export function crdText(kind: Kind): string {
  const text = stringify(crdOf(kind), { lineWidth: 0, aliasDuplicateObjects: false })
  return `# Generated from api/kinds by hack/generate. Do not edit.\n${text}`
}

export const crdFile = (kind: Kind): string => `${group}_${kind.plural}.yaml`

function crdOf(kind: Kind): unknown {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${group}` },
    spec: {
      group,
      names: {
        kind: kind.name,
        listKind: `${kind.name}List`,
        plural: kind.plural,
        singular: kind.name.toLowerCase(),
        shortNames: kind.shortNames,
        categories: ['nodeleaf'],
      },
      scope: 'Cluster',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: kind.columns.map(({ name, type, path, wide, description }) => ({
            name,
            type,
            jsonPath: path,
            ...(wide ? { priority: 1 } : {}),
            ...(description === undefined ? {} : { description }),
          })),
          schema: { openAPIV3Schema: rootSchema(kind) },
        },
      ],
    },
  }
}

function rootSchema(kind: Kind): unknown {
  return {
    type: 'object',
    description: kind.description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: `${group}/${version}` },
      kind: { type: 'string', description: kind.name },
      metadata: { type: 'object' },
      spec: structural(jsonSchemaOf(kind.spec)),
      status: structural(jsonSchemaOf(kind.status)),
    },
    ...(kind.rules.length === 0 ? {} : { 'x-kubernetes-validations': kind.rules.map(validation) }),
  }
}

/**
 * What the API server takes: fields are closed by pruning rather than `additionalProperties: false`, and whole numbers
 * above 2^31 need their format.
 */
function structural(schema: JsonSchema): unknown {
  const { properties, items, additionalProperties, maximum, 'x-kubernetes-validations': rules, ...rest } = schema
  return {
    ...rest,
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }),
    ...(schema.type === 'integer' ? { format: (schema.maximum ?? 0) > 2 ** 31 - 1 ? 'int64' : 'int32' } : {}),
    ...(properties
      ? { properties: Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, structural(each)])) }
      : {}),
    ...(items ? { items: structural(items) } : {}),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: structural(additionalProperties) } : {}),
    ...(rules ? { 'x-kubernetes-validations': rules.map(validation) } : {}),
  }
}

/** The API server knows one text, and paths only to fields that the schema has. */
function validation(rule: CelRule): unknown {
  const path = rule.fieldPath?.startsWith('.metadata') ? undefined : rule.fieldPath
  return {
    rule: rule.rule,
    message: `${rule.message}; ${rule.remedy}`,
    ...(path === undefined ? {} : { fieldPath: path }),
  }
}
