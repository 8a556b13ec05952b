/** The reference page: every kind, every field, from the same schemas as the CRDs. */
import { stringify } from 'yaml'
import { jsonSchemaOf, type JsonSchema } from './json-schema.ts'
import { apiVersion, type Kind } from './kind.ts'

export function referenceText(kinds: readonly Kind[]): string {
  return [
    `<!-- Generated from api/kinds by hack/generate. Do not edit. -->`,
    '',
    `# ${apiVersion}`,
    '',
    'All kinds are cluster-scoped. A field without a default that is not required may be left out.',
    '',
    ...kinds.map(
      (kind) => `- [${kind.name}](#${kind.name.toLowerCase()}) (${kind.shortNames.join(', ')}): ${firstSentence(kind)}`,
    ),
    ...kinds.flatMap(section),
    '',
  ].join('\n')
}

const firstSentence = (kind: Kind): string => `${kind.description.split(/[.:;] /)[0]?.replace(/\.$/, '') ?? ''}.`

function section(kind: Kind): readonly string[] {
  const spec = jsonSchemaOf(kind.spec)
  const rules = rulesOf(spec, 'spec')
  return [
    '',
    `## ${kind.name}`,
    '',
    kind.description,
    '',
    '```yaml',
    exampleText(kind).trimEnd(),
    '```',
    '',
    '| field | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows(spec, 'spec'),
    ...(rules.length > 0 ? ['', 'Rules:', '', ...rules] : []),
    '',
    'Status, written by nodeleaf:',
    '',
    '| field | type | meaning |',
    '| --- | --- | --- |',
    ...rows(jsonSchemaOf(kind.status), 'status').map((row) => row.replace(/^(\| [^|]+ \| [^|]+ \|)[^|]*\|/, '$1')),
  ]
}

/** As a user would write it. */
export function exampleText({ name, example }: Kind): string {
  return stringify({ apiVersion, kind: name, metadata: { name: example.name }, spec: example.spec })
}

function rows(schema: JsonSchema, path: string): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, field]) => {
    const required = schema.required?.includes(key) ?? false
    const at = `${path}.${key}${field.type === 'array' ? '[]' : ''}`
    const row = [`\`${at}\``, typeOf(field), required ? 'required' : defaultOf(field), field.description ?? ''].map(
      cell,
    )
    const inner = field.type === 'array' ? (field.items ?? {}) : field
    return [`| ${row.join(' | ')} |`, ...rows(inner, at)]
  })
}

/** A bar would end the table's cell. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

function defaultOf(field: JsonSchema): string {
  return field.default === undefined ? '' : `\`${JSON.stringify(field.default)}\``
}

function typeOf(field: JsonSchema): string {
  if (field.type === 'array') return `list of ${typeOf(field.items ?? {})}${bounds(field.minItems, field.maxItems)}`
  if (field.enum) return field.enum.map((each) => `\`${each}\``).join(', ')
  if (field.type === 'integer') return `integer${bounds(field.minimum, field.maximum)}`
  if (field.type === 'object' && typeof field.additionalProperties === 'object') return 'map of strings'
  return field.type ?? 'any'
}

function bounds(low: number | undefined, high: number | undefined): string {
  if (high === undefined) return low === undefined ? '' : `, from ${low}`
  return `, ${low ?? 0} to ${high}`
}

/** The rules between fields, in words. */
function rulesOf(schema: JsonSchema, path: string): readonly string[] {
  const own = (schema['x-kubernetes-validations'] ?? []).map(
    (rule) => `- \`${path}\`: ${rule.message}; ${rule.remedy}.`,
  )
  const beneath = Object.entries(schema.properties ?? {}).flatMap(([key, field]) =>
    field.type === 'array' ? rulesOf(field.items ?? {}, `${path}.${key}[]`) : rulesOf(field, `${path}.${key}`),
  )
  return [...own, ...beneath]
}
