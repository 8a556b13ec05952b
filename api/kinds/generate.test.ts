import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { generated } from './generate.ts'
import { readManifest } from '../manifest/read.ts'
import { kinds } from './kinds.ts'
import { exampleText } from './reference.ts'

const root = join(import.meta.dirname, '../..')

for (const [path, text] of generated()) {
  test(`${path} is as hack/generate writes it`, (t) => t.is(readFileSync(join(root, path), 'utf8'), text))
}

test('deploy/crds holds the CRDs of all kinds and nothing else', (t) => {
  t.deepEqual(
    readdirSync(join(root, 'deploy/crds')).sort(),
    kinds.map((kind) => `nodeleaf.io_${kind.plural}.yaml`).sort(),
  )
})

for (const kind of kinds) {
  test(`the reference's example of ${kind.name} is good`, (t) => {
    const { documents, problems, warnings } = readManifest('example.yaml', exampleText(kind))
    t.deepEqual([documents.length, problems, warnings], [1, [], []])
  })
}

/** Every schema in a CRD with its path. */
function* schemas(schema: Record<string, unknown>, path: string): Generator<[string, Record<string, unknown>]> {
  yield [path, schema]
  for (const [key, each] of Object.entries((schema['properties'] ?? {}) as Record<string, Record<string, unknown>>))
    yield* schemas(each, `${path}.${key}`)
  for (const key of ['items', 'additionalProperties'])
    if (typeof schema[key] === 'object') yield* schemas(schema[key] as Record<string, unknown>, `${path}[]`)
}

for (const [path, text] of generated()) {
  if (!path.startsWith('deploy/crds')) continue
  const crd = parse(text) as { spec: { versions: { schema: { openAPIV3Schema: Record<string, unknown> } }[] } }
  const schema = crd.spec.versions[0]?.schema.openAPIV3Schema ?? {}
  const all = [...schemas(schema, '')]

  test(`${path} is structural: every value has a type, nothing is a union`, (t) => {
    for (const [at, each] of all) {
      t.is(typeof each['type'], 'string', at)
      for (const key of ['anyOf', 'oneOf', 'allOf', 'not', '$ref', 'nullable']) t.false(key in each, `${at} has ${key}`)
      t.not(each['additionalProperties'], false, at)
    }
  })

  test(`${path} bounds every string and list, so that the API server can bound the cost of the rules`, (t) => {
    for (const [at, each] of all) {
      if (!at.startsWith('.spec') && !at.startsWith('.status')) continue
      if (each['type'] === 'string') t.true('maxLength' in each || 'enum' in each, at)
      if (each['type'] === 'array') t.true('maxItems' in each, at)
      if (typeof each['additionalProperties'] === 'object') t.true('maxProperties' in each, at)
    }
  })

  test(`${path} describes every field of the spec and the status`, (t) => {
    for (const [at, each] of all)
      if (/^\.(spec|status)\..*[^\]]$/.test(at))
        t.true(typeof each['description'] === 'string', `${at} has no description`)
  })

  test(`${path} has patterns that Go's RE2 takes: no look-around, no back-reference`, (t) => {
    for (const [at, each] of all)
      if (typeof each['pattern'] === 'string') t.notRegex(each['pattern'], /\(\?|\\[1-9]/, at)
  })
}
