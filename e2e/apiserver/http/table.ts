/** Lists as tables, which is what `kubectl get` prints (meta.k8s.io/v1 Table; apiextensions tableconvertor). */
import type { Fields, KubeObject } from '../object.ts'
import type { Column, Resource } from '../resources/resource.ts'
import { jsonPath } from './json-path.ts'

const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  jsonPath: '.metadata.name',
  description: 'Name must be unique within a namespace.',
}
const ageColumn: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }

const columnsOf = ({ custom, columns }: Resource): readonly Column[] => [
  nameColumn,
  ...(custom ? columns : [ageColumn]),
]

export function table(resource: Resource, items: readonly KubeObject[], metadata: Fields, now: number): Fields {
  const columns = columnsOf(resource)
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columns.map(({ name, type, format = '', description = '', priority = 0, jsonPath: path }) => ({
      name,
      type,
      format,
      description: description === '' ? `Custom resource definition column (in JSONPath format): ${path}` : description,
      priority,
    })),
    rows: items.map((object) => ({
      cells: columns.map((column) => cell(column, object, now)),
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  }
}

function cell({ type, jsonPath: path }: Column, object: KubeObject, now: number): unknown {
  const found = jsonPath(path, object)
  const [first] = found
  if (first === undefined) return null
  if (type === 'string') return found.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))).join(' ')
  if (type === 'date') return age(now - Date.parse(String(first)))
  return first
}

/** k8s.io/apimachinery/pkg/util/duration, HumanDuration: two digits of what matters. */
export function age(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 0) return seconds < -1 ? '<invalid>' : '0s'
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)]
  const and = (rest: number, unit: string): string => (rest === 0 ? '' : `${rest}${unit}`)
  if (seconds < 120) return `${seconds}s`
  if (minutes < 10) return `${minutes}m${and(seconds % 60, 's')}`
  if (minutes < 180) return `${minutes}m`
  if (hours < 8) return `${hours}h${and(minutes % 60, 'm')}`
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 192) return `${days}d${and(hours % 24, 'h')}`
  if (hours < 24 * 365 * 2) return `${days}d`
  const years = Math.floor(days / 365)
  return years < 8 ? `${years}y${and(days % 365, 'd')}` : `${years}y`
}
