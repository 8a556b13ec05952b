/** The reference of the chart's values, from its schema and its defaults. */
interface Schema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly $ref?: string
}

interface Row {
  readonly key: string
  readonly fallback: unknown
  readonly description: string
}

/** Markdown. @throws Error for a value without a default or a description: the two files must tell the same keys */
export function valuesText(schema: Schema, values: unknown): string {
  const rows = rowsOf(schema, values, '')
  const lines = rows.map(({ key, fallback, description }) => `| \`${key}\` | ${cell(fallback)} | ${description} |`)
  return [
    '<!-- Generated from deploy/helm/nodeleaf by hack/manifests. Do not edit. -->',
    '',
    '# Values of the Helm chart',
    '',
    'A key that is not here is refused. [values.yaml](../../deploy/helm/nodeleaf/values.yaml) has the defaults with their reasons.',
    '',
    '| key | default | meaning |',
    '| --- | --- | --- |',
    ...lines,
    '',
  ].join('\n')
}

function rowsOf(schema: Schema, values: unknown, prefix: string): readonly Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, each]) => {
    const key = `${prefix}${name}`
    if (key === 'global') return []
    const value = (values as Record<string, unknown> | undefined)?.[name]
    if (value === undefined) throw new Error(`values.yaml has no default for ${key}, which values.schema.json names`)
    if (each.properties !== undefined && Object.keys(value as object).length > 0) return rowsOf(each, value, `${key}.`)
    if (each.description === undefined) throw new Error(`values.schema.json does not describe ${key}`)
    const choice = each.enum?.every((option) => option !== '') ? ` One of ${each.enum.join(', ')}.` : ''
    return [{ key, fallback: value, description: `${each.description}${choice}`.replaceAll('|', '\\|') }]
  })
}

function cell(value: unknown): string {
  if (value === '') return ''
  const text = JSON.stringify(value)
  return text.length > 60 ? 'see values.yaml' : `\`${text}\``
}
