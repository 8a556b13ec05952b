import test from 'ava'
import { checkResource } from '../manifest/check.ts'
import { pathText } from '../manifest/path.ts'
import type { CelRule } from './cel.ts'
import { jsonSchemaOf, type JsonSchema } from './json-schema.ts'
import { kindNamed, kinds } from './kinds.ts'
import { holds } from './rules.ts'
import { bad, base, deeper, good } from './rules-examples.ts'

/** The fields that are complained about. */
function complaints(name: string, change: Record<string, unknown>, objectName = 'x'): readonly string[] {
  const kind = kindNamed(name)
  if (!kind) throw new Error(name)
  const spec = { ...base[name], ...change }
  const raw = { apiVersion: 'nodeleaf.io/v1alpha1', kind: name, metadata: { name: objectName }, spec }
  const checked = checkResource(kind, raw)
  return 'object' in checked ? [] : checked.issues.map((issue) => pathText(issue.path))
}

for (const [name, change] of good)
  test(`${name} with ${JSON.stringify(change)} is good`, (t) => t.deepEqual(complaints(name, change), []))

for (const [name, change, ...fields] of [...bad, ...deeper])
  test(`${name} with ${JSON.stringify(change)} is bad in ${fields.join()}`, (t) =>
    t.deepEqual(complaints(name, change), fields))

for (const name of ['Red', 'red_1', '-red', 'red-', 'red..a', '', 'r'.repeat(64)])
  test(`an object cannot be called "${name}"`, (t) => t.deepEqual(complaints('L3VNI', {}, name), ['metadata.name']))

/** Every CEL rule of a schema, with a value of its place that has nothing but what is required. */
function* celRules(schema: JsonSchema): Generator<CelRule> {
  yield* schema['x-kubernetes-validations'] ?? []
  for (const each of Object.values(schema.properties ?? {})) yield* celRules(each)
  if (schema.items) yield* celRules(schema.items)
}

test('every CEL rule parses, and stays quiet or speaks rather than throwing over an empty object', (t) => {
  const rules = kinds.flatMap((kind) => [...celRules(jsonSchemaOf(kind.spec))])
  t.true(rules.length > 20)
  for (const { rule, message, remedy } of rules) {
    t.true(message !== '' && remedy !== '')
    try {
      holds(rule, {})
    } catch (error) {
      t.regex((error as Error).message, /No such key/, rule)
    }
  }
})
