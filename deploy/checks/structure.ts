/**
 * Whether an object has only fields that Kubernetes knows, of the right type: by the models that @kubernetes/client-node
 * generates from the API's OpenAPI document. What is required and what depends on other fields they do not say.
 */
import * as models from '@kubernetes/client-node'
import type { Manifest } from '../manifests/manifest.ts'
import { titleOf } from '../manifests/manifest.ts'

interface Model {
  getAttributeTypeMap(): readonly { readonly baseName: string; readonly type: string }[]
}

/** Kinds of others, whose models are not there: not looked into. */
const foreign = new Set(['monitoring.coreos.com/v1', 'cert-manager.io/v1'])

/** One line for each field that is wrong. */
export function misfits(object: Manifest): readonly string[] {
  if (foreign.has(object.apiVersion)) return []
  const version = object.apiVersion.split('/').at(-1) ?? ''
  const model = modelOf(`${version[0]?.toUpperCase()}${version.slice(1)}${object.kind}`)
  if (model === undefined) return [`${titleOf(object)}: there is no kind ${object.kind} in ${object.apiVersion}`]
  return inModel(model, object, titleOf(object))
}

function inModel(model: Model, value: unknown, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path} is no object`]
  const known = new Map(model.getAttributeTypeMap().map(({ baseName, type }) => [baseName, type]))
  return Object.entries(value).flatMap(([field, each]) => {
    const type = known.get(field)
    return type === undefined ? [`${path}.${field}: there is no such field`] : ofType(type, each, `${path}.${field}`)
  })
}

function ofType(type: string, value: unknown, path: string): readonly string[] {
  const [, element] = /^Array<(.+)>$/.exec(type) ?? []
  if (element !== undefined) {
    if (!Array.isArray(value)) return [`${path} is no list`]
    return value.flatMap((each, index) => ofType(element, each, `${path}[${index}]`))
  }
  const [, values] = /^\{ \[key: string\]: (.+); \}$/.exec(type) ?? []
  if (values !== undefined) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path} is no map`]
    return Object.entries(value).flatMap(([key, each]) => ofType(values, each, `${path}.${key}`))
  }
  const model = modelOf(type)
  if (model !== undefined) return inModel(model, value, path)
  return fits(type, value) ? [] : [`${path} is ${JSON.stringify(value)}, but must be of type ${type}`]
}

function fits(type: string, value: unknown): boolean {
  switch (type) {
    case 'any':
    case 'object':
      return true
    case 'IntOrString':
      return typeof value === 'string' || Number.isInteger(value)
    case 'Date':
    case 'string':
      return typeof value === 'string'
    case 'number':
      return typeof value === 'number'
    case 'boolean':
      return typeof value === 'boolean'
    default:
      return false
  }
}

function modelOf(name: string): Model | undefined {
  const found = (models as unknown as Readonly<Record<string, unknown>>)[name]
  return typeof found === 'function' && 'getAttributeTypeMap' in found ? (found as unknown as Model) : undefined
}
